"""Names of months in full and in other languages, as English abbreviations."""

from __future__ import annotations

import re

import pandas as pd

_NAMES = {
    "Jan": "january januar jänner janvier janv enero ene gennaio gen janeiro januari",
    "Feb": "february februar feber février fevrier févr fevr fév febrero febbraio fevereiro fev "
    "februari",
    "Mar": "march märz maerz mär mrz mars marzo março marco maart mrt",
    "Apr": "april avril avr abril abr aprile",
    "May": "mai mayo maggio mag maio mei",
    "Jun": "june juni juin junio giugno giu junho",
    "Jul": "july juli juillet juil julio luglio lug julho",
    "Aug": "august août aout agosto ago augustus",
    "Sep": "september sept septembre septiembre settembre setembro set",
    "Oct": "october oktober okt octobre octubre ottobre ott outubro out",
    "Nov": "november novembre noviembre novembro",
    "Dec": "december dezember dez décembre decembre déc diciembre dic dicembre dezembro",
}
_SHORT = {name: short for short, names in _NAMES.items() for name in names.split()}
_WORD = re.compile(r"[^\W\d_]{3,}\.?(?=[\s,-]|$)|[^\W\d_]{3,}")


def with_short_months(texts: pd.Series) -> pd.Series:
    """Dates with abbreviated months; the first text decides whether there are any names."""
    if not len(texts) or _WORD.search(texts.iloc[0]) is None:
        return texts
    plain = texts.str.replace(r"\s+de(l)?\s+", " ", regex=True)
    return plain.str.replace(_WORD, _short, regex=True)


def _short(word: re.Match[str]) -> str:
    name = word[0].rstrip(".")
    return _SHORT.get(name.lower(), name)
