"""Number formats of cells: the dates, times, percentages and codes that plain numbers stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal["number", "date", "time", "duration", "percent"]

_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
"""Texts, escaped characters, padding, colours and conditions."""
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_PADDED = re.compile(r"0{2,}")
_GENERAL = re.compile(r"general", re.IGNORECASE)
_BUILT_IN: dict[int, Kind] = {
    9: "percent", 10: "percent", 18: "time", 19: "time", 20: "time", 21: "time", 45: "time",
    46: "duration", 47: "time",
    **dict.fromkeys([*range(14, 18), 22, *range(27, 37), *range(50, 59)], "date"),
}  # fmt: skip
_DAY_SECONDS = 86_400
_LAST_DAY = 2_958_466
"""The day after 9999-12-31."""
_MISSING_DAY = 60
"""29 February 1900, which Excel counts although there was none."""
_EXACT = 1e15


@dataclass(frozen=True, slots=True)
class Format:
    """The way in which a cell shows its number."""

    kind: Kind = "number"
    digits: int = 0
    """Digits that whole numbers are padded to with zeros: they are codes."""


PLAIN = Format()


def format_of(number: int, code: str | None) -> Format:
    """Return the format of a number in the list of formats, or of its ``code`` where it has one."""
    if code is None:
        return Format(_BUILT_IN.get(number, "number"))
    shown = _NOT_SHOWN.sub("", code.partition(";")[0])
    if _PADDED.fullmatch(shown):
        return Format(digits=len(shown))
    return Format(_kind_of(_GENERAL.sub("", shown)))


def _kind_of(shown: str) -> Kind:
    if _ELAPSED.search(shown):
        return "duration"
    letters = shown.lower()
    if "%" in letters:
        return "percent"
    if "y" in letters or "d" in letters:
        return "date"
    if "h" in letters or "s" in letters:
        return "time"
    return "date" if "m" in letters else "number"


def written(value: float, format: Format, since_1904: bool) -> tuple[str, Kind]:
    """Return a number as text, and the kind of it: dates as ISO 8601, durations in seconds."""
    if format.kind == "duration":
        return plain_number(round(value * _DAY_SECONDS, 3)), "duration"
    if format.kind == "time" and 0 <= value < 1:
        return _clock(value), "time"
    if format.kind in ("date", "time") and 0 <= value < _LAST_DAY:
        return _moment(value, since_1904), "date"
    if format.digits and value >= 0 and value == int(value):
        return f"{int(value):0{format.digits}d}", "number"
    return plain_number(value), "percent" if format.kind == "percent" else "number"


def plain_number(value: float) -> str:
    """Return a number as text, a whole one without a decimal point."""
    return str(int(value)) if value.is_integer() and abs(value) < _EXACT else repr(value)


def _clock(value: float) -> str:
    seconds = round(value * _DAY_SECONDS)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _moment(value: float, since_1904: bool) -> str:
    begin = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)
    if not since_1904 and value < _MISSING_DAY:
        begin += timedelta(days=1)
    days, part = divmod(value, 1)
    moment = begin + timedelta(days=days, milliseconds=round(part * _DAY_SECONDS * 1000))
    if moment.microsecond:
        return moment.isoformat(" ", "milliseconds")
    whole = not part
    return moment.date().isoformat() if whole else moment.isoformat(" ", "seconds")
