"""Names of time steps as pandas and GluonTS write them: ``H``, ``15min``, ``M``, ``W-SUN``."""

from __future__ import annotations

import re

from engine.data.series.frequency import DAY, HOUR, SECOND, WEEK, Frequency, Unit

_NAME = re.compile(r"(?P<count>\d{0,6}) ?(?P<name>[A-Za-z]+)(?:-[A-Za-z]{3})?")
_TIMES = {
    "ms": 1000, "L": 1000, "s": SECOND, "S": SECOND, "min": 60 * SECOND, "T": 60 * SECOND,
    "h": HOUR, "H": HOUR, "D": DAY, "W": WEEK,
}  # fmt: skip
_MONTHS = {"M": 1, "Q": 3, "Y": 12, "A": 12}
_WORDS = {
    "secondly": "s", "minutely": "min", "hourly": "h", "daily": "D", "weekly": "W", "monthly": "M",
    "quarterly": "Q", "yearly": "Y", "annual": "Y",
}  # fmt: skip
_END_OF_MONTH = re.compile(r"B?(?P<name>[MQYA])[SE]?")
"""Months, quarters and years by their first, last or last business day: each is one period."""


def frequency_named(name: str) -> Frequency | None:
    """Return the step that a name stands for, from whatever day on; ``None`` for no such name."""
    match = _NAME.fullmatch(name.strip())
    if match is None:
        return None
    count, word = int(match["count"] or 1), _WORDS.get(match["name"].lower(), match["name"])
    unit: Unit = "time"
    if word in _TIMES:
        size = _TIMES[word]
    elif months := _END_OF_MONTH.fullmatch(word):
        unit, size = "month", _MONTHS[months["name"]]
    elif word == "B":
        unit, size = "business day", 1
    else:
        return None
    return Frequency(unit, count * size) if count else None
