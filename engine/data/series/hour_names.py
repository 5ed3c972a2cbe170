"""Names of columns after the hours of a day, or halves and quarters of them.

They are counted (``h1`` to ``h24``, ``Hour 0`` to ``Hour 23``, ``hh_0`` to ``hh_47``) or times of
day (``00:15``, ``1 am``, ``00:00 - 01:00``). An hour that comes twice when clocks are set back may
have a second column, such as ``h3b`` or ``02:00 B``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DAY = 24 * 60
_HOUR, _HALF, _QUARTER = 60, 30, 15
_WORDS = {
    "h": _HOUR, "hr": _HOUR, "hour": _HOUR, "he": _HOUR, "hb": _HOUR, "hour ending": _HOUR,
    "hour beginning": _HOUR, "stunde": _HOUR, "heure": _HOUR, "hora": _HOUR,
    "ora": _HOUR, "uur": _HOUR, "timme": _HOUR,
    "hh": _HALF, "half hour": _HALF, "halfhour": _HALF,
    "qh": _QUARTER, "quarter hour": _QUARTER, "quarterhour": _QUARTER, "viertelstunde": _QUARTER,
}  # fmt: skip
"""Minutes that a counted column takes, by the word before its number."""
_CLOCK_STEPS = (60, 30, 20, 15, 10, 5)
_MARK = r"(?P<mark>a|[ _]?(?:b|dst|\*)|[_.][12])?"
_WORD = "|".join(sorted((word.replace(" ", "[ _-]") for word in _WORDS), key=len, reverse=True))
_COUNTED = re.compile(
    rf"(?:(?P<before>.*[^ _.-])[ _.-]+)?(?P<word>{_WORD})[ _.-]*(?P<number>\d{{1,3}}){_MARK}"
)
_LAGS = re.compile(r"(.*[^a-z])?(lag|lags|lead|shift|past|ahead|fc|pred|prediction|forecast|t)")
"""Ends of names before a number of hours that are counted from the row, not from midnight."""
_BEFORE_WORD = re.compile(rf"(?P<number>\d{{1,2}}) ?(?:h|hr|hrs|hour|uhr){_MARK}")
_CLOCK = re.compile(
    r"(?P<before>[^\d:]*?)(?P<hour>\d{1,2})[:.h](?P<minute>\d{2})(?::00)?"
    rf"(?: ?(?P<half>am|pm))?{_MARK}(?: ?[-–] ?\d{{1,2}}[:.h]\d{{2}}(?::00)?)?"
)
_DIGITS = re.compile(r"(?P<before>)(?P<hour>\d{2})(?P<minute>\d{2})(?P<half>)(?P<mark>)")
_HALF_DAY = re.compile(
    rf"(?P<before>[^\d:]*?)(?P<hour>\d{{1,2}})(?P<minute>) ?(?P<half>am|pm){_MARK}"
)
_RANGE = re.compile(r"(?P<number>\d{1,2}) ?[-–] ?(?P<end>\d{1,2})(?P<mark>)")
_BARE = re.compile(r"(?P<number>\d{1,2})(?P<mark>[ab])?")
_SOME_COUNTED = 18
"""Fewer columns that are counted do not seem to be meant for hours."""
_SOME_CLOCKS = 6


@dataclass(frozen=True, slots=True)
class HourNames:
    """The columns that are named after parts of a day, in the order of time."""

    columns: tuple[str, ...]
    minutes: tuple[int, ...]
    """The minute of the day at which the time of each column begins."""
    step: int
    """Minutes that each column takes."""
    ends: bool = False
    """Whether columns are named after the end of their time: ``00:15`` to ``24:00``."""
    again: tuple[str, ...] = ()
    """Those of ``columns`` that have an hour for the second time."""
    beyond: tuple[str, ...] = ()
    """Columns behind those of a day, such as ``h25``."""
    of: str = ""
    """The beginning of the names, such as ``load`` of ``load_h1``; empty where there is none."""

    def like(self, other: HourNames) -> bool:
        """Return whether both have the same times of a day."""
        return (self.minutes, self.step, self.ends) == (other.minutes, other.step, other.ends)


@dataclass(frozen=True, slots=True)
class Unclear:
    """Columns that may be named after hours, and why they are not read so."""

    why: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A name: the family that it is of, and its place there."""

    family: str
    place: int
    """The number of a counted name, or the minute of a time of day."""
    step: int
    """Minutes of a counted name; 0 of a time of day or a bare number."""
    second: bool
    of: str = ""
    """The beginning of the name, as it is written."""


def find_hour_names(names: Sequence[str]) -> tuple[HourNames, ...] | Unclear | None:
    """Return the columns that are named after all parts of a day; ``None`` where there are none.

    There are several where each has a beginning of its own, such as ``load_h1`` and ``temp_h1``.
    """
    families: dict[str, list[tuple[str, _Part]]] = defaultdict(list)
    for name in names:
        if part := _part(name):
            families[part.family].append((name, part))
    each = (_of_family(family) for family in families.values())
    found = [one for one in each if one is not None]
    read = tuple(one for one in found if isinstance(one, HourNames))
    unclear = [one for one in found if isinstance(one, Unclear)]
    if len(found) == 1:
        return read or unclear[0]
    if not found or (not unclear and _are_apart(read)):
        return read or None
    columns = tuple(column for one in found for column in one.columns)
    why = f"{found[0].columns[0]} and {found[1].columns[0]} both seem to begin a day"
    return Unclear(why, columns)


def _are_apart(families: Sequence[HourNames]) -> bool:
    """Return whether families have beginnings of their own, and the same times of a day."""
    begin = {family.of for family in families} - {""}
    return len(begin) == len(families) and all(one.like(families[0]) for one in families)


def _part(name: str) -> _Part | None:
    text = " ".join(name.split()).lower()
    if match := _COUNTED.fullmatch(text):
        word, before = _word(match["word"]), match["before"] or ""
        if _LAGS.fullmatch(before):
            return None
        number, second = int(match["number"]), _is_second(match["mark"])
        return _Part(f"{before} {word}", number, _WORDS[word], second, _begun(name, before))
    if match := _BEFORE_WORD.fullmatch(text):
        return _Part("before", int(match["number"]), _HOUR, _is_second(match["mark"]))
    if match := _CLOCK.fullmatch(text) or _HALF_DAY.fullmatch(text) or _DIGITS.fullmatch(text):
        minute = _minute(match)
        family = f"clock {match['before']}"
        of = _begun(name, match["before"])
        return None if minute is None else _Part(family, minute, 0, _is_second(match["mark"]), of)
    if match := _RANGE.fullmatch(text):
        begin, end = int(match["number"]), int(match["end"])
        right = end == begin + 1 or (begin, end) == (23, 0)
        return _Part("range", 60 * begin, 0, False) if right else None
    if match := _BARE.fullmatch(text):
        return _Part("bare", int(match["number"]), 0, match["mark"] == "b")
    return None


def _begun(name: str, before: str) -> str:
    """Return how a name begins, as it is written: ``Load`` of ``Load_H1``."""
    return " ".join(name.split())[: len(before)].strip(" _.-")


def _word(text: str) -> str:
    return text.replace("_", " ").replace("-", " ")


def _is_second(mark: str | None) -> bool:
    return bool(mark) and mark != "a"


def _minute(match: re.Match[str]) -> int | None:
    """Return the minute of the day, up to 24:00; ``None`` for no time of day."""
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (match["half"] == "pm")
    time = 60 * hour + minute
    return time if minute < 60 and time <= DAY else None


def _of_family(family: Sequence[tuple[str, _Part]]) -> HourNames | Unclear | None:
    """Return the names of one family if they are those of a day."""
    columns = tuple(name for name, _ in family)
    first = {part.place: name for name, part in family if not part.second}
    second = {part.place: name for name, part in family if part.second}
    kind, step = family[0][1].family, family[0][1].step
    if kind == "bare":
        whole = set(first) | set(second) in ({*range(24)}, {*range(1, 25)})
        why = f"call them h{min(first, default=0)} and so on if they are hours"
        return Unclear(why, columns) if whole else None
    day = _counted_day(first, step) if step else _clock_day(first)
    if day is None:
        least = _SOME_COUNTED if step else _SOME_CLOCKS
        why = "they are not those of a whole day"
        return Unclear(why, columns) if len(first) >= least else None
    if len(first) + len(second) < len(family) or not set(second) <= set(day.minutes_of):
        return Unclear("two of them have one hour", columns)
    parts = sorted((minute, 0, first[place]) for place, minute in day.minutes_of.items())
    parts += [(day.minutes_of[place], 1, name) for place, name in second.items()]
    minutes, _, ordered = zip(*sorted(parts), strict=True)
    again = tuple(second.values())
    return HourNames(ordered, minutes, day.step, day.ends, again, day.beyond, family[0][1].of)


@dataclass(frozen=True, slots=True)
class _Day:
    """The minute at which each place of a family begins."""

    minutes_of: Mapping[int, int]
    step: int
    ends: bool = False
    beyond: tuple[str, ...] = ()


def _counted_day(first: Mapping[int, str], step: int) -> _Day | None:
    """Return the minutes of names that count from 0 or from 1, also beyond a day by an hour."""
    count, begin = DAY // step, min(first, default=0)
    more = len(first) - count
    if begin not in (0, 1) or not 0 <= more <= begin * _HOUR // step:
        return None
    if set(first) != {*range(begin, begin + len(first))}:
        return None
    minutes = {begin + at: at * step for at in range(count)}
    return _Day(minutes, step, beyond=tuple(first[n] for n in sorted(first) if n not in minutes))


def _clock_day(first: Mapping[int, str]) -> _Day | None:
    """Return the minutes of times of day: those that begin at midnight, or that end there."""
    places = [*first]
    for step in _CLOCK_STEPS:
        if {*places} == {*range(0, DAY, step)} and (places[0] == 0 or places[-1] != 0):
            return _Day({place: place for place in places}, step)
        if {place or DAY for place in places} == {*range(step, DAY + 1, step)}:
            return _Day({place: (place or DAY) - step for place in places}, step, ends=True)
    return None
