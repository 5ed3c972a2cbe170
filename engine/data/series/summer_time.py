"""The zone of times with offsets to UTC, which change where clocks are set for the summer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.data.series.frequency import SECOND, Times, clock_times
from engine.files.sanitize import plain
from engine.reports.note import Note

UTC = ("UTC", "Etc/UTC", "GMT", "Z", "+00:00", "-00:00")
"""Names of UTC."""
_ZONES = (
    "Europe/Berlin", "Europe/London", "Europe/Athens", "Europe/Lisbon", "America/New_York",
    "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage",
    "America/Halifax", "America/St_Johns", "America/Santiago", "Australia/Sydney",
    "Australia/Adelaide", "Pacific/Auckland", "Asia/Jerusalem", "Asia/Beirut", "Africa/Cairo",
)  # fmt: skip
"""A zone for each rule by which clocks are set; others with the same rule have the same clocks."""


def zone_of(utc: Times, offsets: NDArray[np.int64]) -> str:
    """Return the zone whose clocks are ``offsets`` microseconds before times in UTC.

    One of many with the same clocks where the offsets change; where no zone has them, the newest
    offset.
    """
    if (offsets != offsets[0]).any():
        some = slice(None, None, max(1, len(utc) // 1000))
        for zone in _ZONES:
            if _fits(zone, utc[some], offsets[some]) and _fits(zone, utc, offsets):
                return zone
    minutes = int(offsets[utc.argmax()]) // (60 * SECOND)
    sign = "-" if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return "UTC" if zone in UTC else zone


def zone_note(zone: str, offsets: bool) -> Note:
    """Return a note on the zone of times, which were written with several ``offsets`` or not."""
    shown = plain(zone, 40)
    if not offsets:
        return Note(f"times are in the zone {shown}", read_as="dates", kind="converted")
    if zone in _ZONES:
        why = f"times have the offsets of clocks in {shown}, summer time included, and are shown by"
        return Note(f"{why} them", read_as="dates", kind="converted")
    why = (
        f"times have offsets to UTC of no known zone: they are shown, and hours counted, by {shown}"
    )
    return Note(f"{why}, the newest of several", read_as="dates")


def _fits(zone: str, utc: Times, offsets: NDArray[np.int64]) -> bool:
    return bool((clock_times(utc, zone) - utc == offsets).all())
