"""The time step of a series: inferred from its times, named, and used to count along.

Times are int64: microseconds since 1970 where they are dates, else the numbers themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.data.series import months

Times = NDArray[np.int64]
Unit = Literal["time", "month", "business day", "number"]
Precision = Literal["minutes", "seconds", "microseconds"]

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
WEEK = 7 * DAY
YEAR = 365 * DAY + DAY // 4
_PRECISIONS: dict[str, Precision] = {"m": "minutes", "s": "seconds", "us": "microseconds"}
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
    anchor: str = ""
    """The day of the month, as in :mod:`engine.data.series.months`."""
    zone: str = ""
    """The zone of the clock on which times, which are in UTC, are shown; empty where none is."""

    @classmethod
    def of(cls, unit: str, step: int, regular: bool, anchor: str = "", zone: str = "") -> Frequency:
        """From plain values, as they are kept in files."""
        if unit not in get_args(Unit):
            raise ValueError(f"unknown unit {unit!r}")
        return cls(cast("Unit", unit), step, regular, anchor, zone)

    @property
    def dated(self) -> bool:
        """Whether times are dates."""
        return self.unit != "number"

    @property
    def in_days(self) -> bool:
        """Whether times are days: the step is a day or longer."""
        return self.dated and (self.unit != "time" or self.step % DAY == 0)

    @property
    def name(self) -> str:
        """In words: ``15 minutes``, ``1 month``."""
        if self.unit == "time":
            size = next(size for size in _NAMES if self.step % size == 0)
            return _counted(self.step // size, _NAMES[size])
        if self.unit == "month" and self.step % 12 == 0:
            return _counted(self.step // 12, "year")
        return _counted(self.step, "step" if self.unit == "number" else self.unit)

    def positions(self, times: Times, origins: Times | None = None) -> Times:
        """Whole steps from the first time to each; a time between two steps takes the nearer.

        ``origins`` are, for each time, what is counted from in place of the first one.
        """
        origins = times[:1] if origins is None else origins
        if self.unit == "month":
            counts, first = (
                part.astype("M8[us]").astype("M8[M]").astype(np.int64) for part in (times, origins)
            )
            passed: Times = (counts - first) // self.step
            return passed
        if self.unit == "business day":
            begin, days = (part.astype("M8[us]").astype("M8[D]") for part in (origins, times))
            counted: Times = np.busday_count(begin, days).astype(np.int64)
            return counted
        nearest: Times = np.rint((times - origins) / self.step).astype(np.int64)
        return nearest

    def along(self, start: int | Times, steps: NDArray[np.int64]) -> Times:
        """Return the times at ``steps`` steps after ``start``, or after each of several."""
        if self.unit == "month":
            begin = np.asarray(start).astype("M8[us]")
            moments = months.after(begin, steps * self.step, self.anchor)
            return moments.astype(np.int64)
        if self.unit == "business day":
            moment = np.asarray(start).astype("M8[us]")
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
        if self.in_days and not self.zone:
            # Daily values may be taken at noon; their date is enough.
            return str(moment.astype("M8[D]"))
        step = self.step if self.unit == "time" else DAY  # others count months or days
        unit = "m" if step % (60 * SECOND) == 0 else "s" if step % SECOND == 0 else "us"
        if not self.zone:
            return str(moment.astype(f"M8[{unit}]")).replace("T", " ")
        local = pd.Timestamp(time, unit="us", tz="UTC").tz_convert(self.zone)
        return local.isoformat(" ", _PRECISIONS[unit])

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
    if dated and (monthly := _monthly(times)):
        return monthly
    values, counts = np.unique(differences, return_counts=True)
    step = int(values[counts.argmax()])
    if dated and step == DAY and _skips_weekends(times, differences):
        return Frequency("business day", 1)
    unit: Unit = "time" if dated else "number"
    if (differences % step == 0).mean() >= _ON_GRID:
        return Frequency(unit, step)
    return Frequency(unit, max(1, round(float(np.median(differences)))), regular=False)


def _monthly(times: Times) -> Frequency | None:
    """The months from row to row, if each has the day that one anchor names."""
    days = times.astype("M8[us]").astype("M8[D]")
    passed = np.diff(days.astype("M8[M]").astype(np.int64))
    anchor = months.find_anchor(days) if passed.min() > 0 else None
    return None if anchor is None else Frequency("month", math.gcd(*passed.tolist()), anchor=anchor)


def _skips_weekends(times: Times, differences: Times) -> bool:
    if not (differences == 3 * DAY).any():
        return False
    return bool(np.is_busday(times.astype("M8[us]").astype("M8[D]")).all())


def clock_times(times: Times, zone: str) -> Times:
    """Times in UTC as the clocks of a zone showed them."""
    if not zone:
        return times
    moments = pd.DatetimeIndex(times.astype("M8[us]"), tz="UTC").tz_convert(zone)
    return moments.tz_localize(None).as_unit("us").asi8


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
    times = clock_times(times, frequency.zone)
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
