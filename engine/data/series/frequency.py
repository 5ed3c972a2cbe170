"""The time step of a series: inferred from its times, named, and used to count along.

Times are int64: microseconds since 1970 where they are dates, else the numbers themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]
Unit = Literal["time", "month", "business day", "number"]

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
WEEK = 7 * DAY
YEAR = 365 * DAY + DAY // 4
_NAMES = {WEEK: "week", DAY: "day", HOUR: "hour", 60 * SECOND: "minute", SECOND: "second",
          1000: "millisecond", 1: "microsecond"}  # fmt: skip
_ON_GRID = 0.99
"""Times are regular when at least this share is on the grid of the most frequent step."""


@dataclass(frozen=True, slots=True)
class Frequency:
    """The time step between neighbouring rows."""

    unit: Unit
    step: int
    """Microseconds, months, business days, or the difference of two numbers."""
    regular: bool = True
    """False where times keep to no grid; :attr:`step` is then the median."""

    @classmethod
    def of(cls, unit: str, step: int, regular: bool) -> Frequency:
        """From plain values, as they are kept in files."""
        if unit not in get_args(Unit):
            raise ValueError(f"unknown unit {unit!r}")
        return cls(cast("Unit", unit), step, regular)

    @property
    def dated(self) -> bool:
        """Whether times are dates."""
        return self.unit != "number"

    @property
    def name(self) -> str:
        """In words: ``15 minutes``, ``1 month``."""
        if self.unit == "time":
            size = next(size for size in _NAMES if self.step % size == 0)
            return _counted(self.step // size, _NAMES[size])
        if self.unit == "month" and self.step % 12 == 0:
            return _counted(self.step // 12, "year")
        return _counted(self.step, "step" if self.unit == "number" else self.unit)

    def positions(self, times: Times) -> Times:
        """Whole steps from the first time to each; a time between two steps takes the nearer."""
        if self.unit == "month":
            months: Times = times.astype("M8[us]").astype("M8[M]").astype(np.int64)
            passed: Times = (months - months[0]) // self.step
            return passed
        if self.unit == "business day":
            days = times.astype("M8[us]").astype("M8[D]")
            counted: Times = np.busday_count(days[0], days).astype(np.int64)
            return counted
        nearest: Times = np.rint((times - times[0]) / self.step).astype(np.int64)
        return nearest

    def along(self, start: int, steps: NDArray[np.int64]) -> Times:
        """Return the times at ``steps`` steps after ``start``."""
        if self.unit == "month":
            return _months_after(start, steps * self.step)
        if self.unit == "business day":
            moment = np.datetime64(start, "us")
            day = moment.astype("M8[D]")
            days = np.busday_offset(day, steps, roll="backward").astype("M8[us]")
            later: Times = (days + (moment - day)).astype(np.int64)
            return later
        return start + steps * self.step

    def text(self, time: int) -> str:
        """A time for people, no finer than the step."""
        if not self.dated:
            return str(time)
        moment = np.datetime64(time, "us")
        if self.unit != "time" or self.step % DAY == 0:
            # Daily values may be taken at noon; their date is enough.
            return str(moment.astype("M8[D]"))
        unit = "m" if self.step % (60 * SECOND) == 0 else "s" if self.step % SECOND == 0 else "us"
        return str(moment.astype(f"M8[{unit}]")).replace("T", " ")

    @property
    def seasons(self) -> tuple[int, ...]:
        """Steps in an hour, a day, a week and a year, as far as they are whole."""
        if self.unit == "month":
            return (12 // self.step,) if 12 % self.step == 0 and self.step < 12 else ()
        if self.unit == "business day":
            return (5, 260)
        if self.unit == "number":
            return ()
        lengths = (HOUR, DAY, WEEK, 365 * DAY)
        whole = [length // self.step for length in lengths if length % self.step == 0]
        if self.step == WEEK:
            whole.append(52)
        return tuple(count for count in whole if count > 1)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def find_frequency(times: Times, dated: bool) -> Frequency:
    """The frequency of increasing ``times``, without repetitions."""
    if len(times) < 2:
        return Frequency("time", DAY) if dated else Frequency("number", 1)
    differences = np.diff(times)
    if dated and (months := _months_between(times, differences)):
        return Frequency("month", months)
    values, counts = np.unique(differences, return_counts=True)
    step = int(values[counts.argmax()])
    if dated and step == DAY and _skips_weekends(times, differences):
        return Frequency("business day", 1)
    unit: Unit = "time" if dated else "number"
    if (differences % step == 0).mean() >= _ON_GRID:
        return Frequency(unit, step)
    return Frequency(unit, max(1, round(float(np.median(differences)))), regular=False)


def _months_between(times: Times, differences: Times) -> int:
    """Return months from row to row if all have one day of the month, or its last; else 0."""
    if differences.min() < 28 * DAY:
        return 0
    moments = times.astype("M8[us]")
    months = moments.astype("M8[M]")
    days = moments.astype("M8[D]")
    first = days - months.astype("M8[D]")
    last = (months + 1).astype("M8[D]") - days
    if np.unique(first).size > 1 and np.unique(last).size > 1:
        return 0
    return math.gcd(*np.diff(months.astype(np.int64)).tolist())


def _skips_weekends(times: Times, differences: Times) -> bool:
    if not (differences == 3 * DAY).any():
        return False
    return bool(np.is_busday(times.astype("M8[us]").astype("M8[D]")).all())


def _months_after(start: int, months: NDArray[np.int64]) -> Times:
    """The same day of later months; the last day of a month stays the last."""
    moment = np.datetime64(start, "us")
    month = moment.astype("M8[M]")
    is_last = moment.astype("M8[D]") + 1 == (month + 1).astype("M8[D]")
    target = month + months
    length = (target + 1).astype("M8[us]") - target.astype("M8[us]")
    day = np.timedelta64(DAY, "us")
    into = moment - month.astype("M8[us]")
    into_day = into % day
    within = length - day + into_day if is_last else np.minimum(into, length - day + into_day)
    later: Times = (target.astype("M8[us]") + within).astype(np.int64)
    return later


CALENDAR = ("hour", "weekday", "year")


def calendar_names(frequency: Frequency) -> tuple[str, ...]:
    """The cycles of the calendar that a step is fine enough to follow; two features each."""
    if not frequency.dated:
        return ()
    if frequency.unit == "month":
        return ("year",)
    step = DAY if frequency.unit == "business day" else frequency.step
    return tuple(
        name for name, length in zip(CALENDAR, (DAY, WEEK, YEAR), strict=True) if 2 * step <= length
    )


def calendar_features(times: Times, frequency: Frequency) -> NDArray[np.float32]:
    """Sine and cosine of each of :func:`calendar_names`, ``[rows, 2 · cycles]``."""
    moments = times.astype("M8[us]")
    years = moments.astype("M8[Y]").astype("M8[us]")
    # Day 0 of the epoch, 1970-01-01, was a Thursday.
    phases = {
        "hour": (times % DAY) / DAY,
        "weekday": ((times + 3 * DAY) % WEEK) / WEEK,
        "year": (moments - years).astype(np.int64) / YEAR,
    }
    angles = [2 * np.pi * phases[name] for name in calendar_names(frequency)]
    parts = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    if not parts:
        return np.zeros((len(times), 0), np.float32)
    return np.stack(parts, 1).astype(np.float32)
