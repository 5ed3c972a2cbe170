"""Write moments in the form that a column's dates have."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from engine.data.dates.compact import EXCEL, EXCEL_EPOCH, SINCE, TICKS, is_number_spelling
from engine.data.dates.spellings import FISCAL_PERIODS, FISCAL_YEARS, ISO, QUARTERS, WEEKS

_ISO = ("%Y-%m-%d", "%Y-%m", "%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", *(
    "%Y-%m-%d" + between + clock
    for between in " T" for clock in ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f")
))  # fmt: skip
_WEEKS = ("%G-W%V", "%GW%V", "%G W%V", "%G-%V", "W%V %G", "W%V/%G", "KW%V %G", "KW %V/%G")
_QUARTERS = ("%YQ%q", "%Y-Q%q", "%Y Q%q", "Q%q %Y", "Q%q-%Y", "Q%q/%Y", "%qQ%Y", "%qQ%y", "Q%q %y",
             "FY%Y Q%q", "FY%YQ%q", "FY%Y-Q%q", "FY%y Q%q", "FY%yQ%q", "FY%y-Q%q", "Q%q FY%Y",
             "Q%q FY%y", "Q%qFY%y")  # fmt: skip
_FISCAL_YEARS = tuple(mark + year for mark in ("", "FY", "FY ") for year in (
    "%Y", "%y", "%Y/%k", "%Y-%k", "%Y–%k", "%Y/%K", "%Y-%K", "%Y–%K"
))  # fmt: skip
_FISCAL_PERIODS = (
    *(mark + year + between + "P%m" for mark in ("FY", "FY ", "") for year in ("%Y", "%y")
      for between in ("-", " ", "")),
    *("P%m" + between + mark + year for between in (" ", "-", "/") for mark in ("FY", "")
      for year in ("%Y", "%y")),
)  # fmt: skip
_WRITTEN_AS = {ISO: _ISO, QUARTERS: _QUARTERS, WEEKS: _WEEKS, FISCAL_YEARS: _FISCAL_YEARS,
               FISCAL_PERIODS: _FISCAL_PERIODS}  # fmt: skip
_DIRECTIVE = re.compile(r"%-?[a-zA-Z]")
_PADDED = re.compile(r"%([dmHI])")
_CHECKED = 200
_DAY = 24 * 3600 * 1_000_000


def find_writing(texts: Sequence[str], moments: NDArray[np.datetime64], spelling: str) -> str:
    """Return the form in which ``moments`` are written as ``texts``; empty where none is known.

    It has the directives of ``strftime``, ``%-d`` for numbers without zeros, ``%q`` for quarters,
    ``%K`` and ``%k`` for the next year in four and two digits.
    """
    if is_number_spelling(spelling):
        return spelling
    some = list(zip(texts[:_CHECKED], moments[:_CHECKED].tolist(), strict=True))
    some += zip(texts[-_CHECKED:], moments[-_CHECKED:].tolist(), strict=True)
    return next(
        (form for form in _forms(spelling) if all(_written(m, form) == text for text, m in some)),
        "",
    )


def write_moment(time: int, form: str) -> str | int:
    """Return a moment, in microseconds since 1970, in a form of :func:`find_writing`."""
    if form.endswith(SINCE):
        return time // TICKS[form.removesuffix(SINCE)] if form != "ns" + SINCE else time * 1000
    if form == EXCEL:
        return time // _DAY + EXCEL_EPOCH
    text = _written(np.datetime64(time, "us").item(), form)
    return int(text) if is_number_spelling(form) else text


def _forms(spelling: str) -> Iterator[str]:
    for form in _WRITTEN_AS.get(spelling, (spelling,)):
        for named in dict.fromkeys((form, form.replace("%b", "%B"))):
            yield named
            yield _PADDED.sub(r"%-\1", named)


def _written(moment: datetime, form: str) -> str:
    def part(directive: re.Match[str]) -> str:
        name = directive[0]
        if name == "%q":
            return str((moment.month + 2) // 3)
        if name in ("%K", "%k"):
            return f"{moment.year + 1:04}"[-4 if name == "%K" else -2 :]
        text = moment.strftime(name.replace("-", ""))
        return (text.lstrip("0") or "0") if "-" in name else text

    return _DIRECTIVE.sub(part, form)
