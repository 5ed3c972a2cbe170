"""Fiscal years and their periods: ``FY2023``, ``FY23``, ``2023/24``, ``FY2023-P01``."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_NAMED = r"(?:FY|fiscal year)[-. ']*(?P<named>\d{4}|\d{2})"
_PAIR = r"(?:FY[-. ]*)?(?P<first>\d{4})[-/–](?P<next>\d{4}|\d{2})"
_YEAR = re.compile(rf"^(?i:{_PAIR}|{_NAMED})$")
_OF_YEAR = r"(?:FY[-. ']*)?(?P<{long}>\d{{4}})|FY[-. ']*(?P<{short}>\d{{2}})"
_OF_PERIOD = r"P(?:ERIOD)?[-. ]?(?P<{count}>\d{{1,2}})"
_PERIOD = re.compile(
    "^(?i:"
    f"(?:{_OF_YEAR.format(long='year', short='year2')})[-/. ]*{_OF_PERIOD.format(count='count')}|"
    f"{_OF_PERIOD.format(count='count2')}[-/., ]+(?:{_OF_YEAR.format(long='year3', short='year4')})"
    ")$"
)
_MARK = r"(?i)\bFY[-. ']*(?=\d)"


def fiscal_years(texts: pd.Series, century: int) -> NDArray[np.float64]:
    """Return the year that each fiscal year is named after, the first one of two; else NaN.

    Of two digits, years from ``century`` on are of the last century. Two years must follow each
    other, so that months such as ``2023-04`` are none.
    """
    parts = texts.str.extract(_YEAR)
    first, following = (parts[name].astype(float).to_numpy() for name in ("first", "next"))
    named = _whole_years(parts["named"], century)
    digits = np.where((parts["next"].str.len() == 2).to_numpy(bool, na_value=False), 100, 10_000)
    follows = (first + 1) % digits == following
    return np.where(np.isnan(first), named, np.where(follows, first, np.nan))


def fiscal_periods(
    texts: pd.Series, century: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return years as :func:`fiscal_years` does, and the numbers of their periods, else NaN."""
    parts = texts.str.extract(_PERIOD)
    written = parts["year"].fillna(parts["year2"]).fillna(parts["year3"]).fillna(parts["year4"])
    years = _whole_years(written, century)
    counts = parts["count"].fillna(parts["count2"]).astype(float)
    return years, np.asarray(counts, np.float64)


def _whole_years(texts: pd.Series, century: int) -> NDArray[np.float64]:
    """Return years as numbers; those of two digits from ``century`` on are of the last century."""
    numbers = np.asarray(texts.astype(float), np.float64)
    short = (texts.str.len() == 2).to_numpy(bool, na_value=False)
    return np.where(short, numbers + np.where(numbers < century, 2000.0, 1900.0), numbers)


def without_mark(texts: pd.Series) -> pd.Series:
    """Return fiscal quarters such as ``FY2023 Q1`` as ``2023 Q1``."""
    return texts.str.replace(_MARK, "", regex=True)
