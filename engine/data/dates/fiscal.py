"""Fiscal years: ``FY2023``, ``FY23``, ``2023/24``, ``2023-24``."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_NAMED = r"(?:FY|fiscal year)[-. ']*(?P<named>\d{4}|\d{2})"
_PAIR = r"(?:FY[-. ]*)?(?P<first>\d{4})[-/–](?P<next>\d{4}|\d{2})"
_YEAR = re.compile(rf"^(?i:{_PAIR}|{_NAMED})$")
_MARK = r"(?i)\bFY[-. ']*(?=\d)"


def fiscal_years(texts: pd.Series, century: int) -> NDArray[np.float64]:
    """Return the year that each fiscal year is named after, the first one of two; else NaN.

    Of two digits, years from ``century`` on are of the last century. Two years must follow each
    other, so that months such as ``2023-04`` are none.
    """
    parts = texts.str.extract(_YEAR)
    named, first, following = (
        parts[name].astype(float).to_numpy() for name in ("named", "first", "next")
    )
    short = (parts["named"].str.len() == 2).to_numpy(bool, na_value=False)
    named = np.where(short, named + np.where(named < century, 2000, 1900), named)
    digits = np.where((parts["next"].str.len() == 2).to_numpy(bool, na_value=False), 100, 10_000)
    follows = (first + 1) % digits == following
    return np.where(np.isnan(first), named, np.where(follows, first, np.nan))


def without_mark(texts: pd.Series) -> pd.Series:
    """Return fiscal quarters such as ``FY2023 Q1`` as ``2023 Q1``."""
    return texts.str.replace(_MARK, "", regex=True)
