"""A run of another program, as far as it is compared: its curves and its settings."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.files.sanitize import plain
from engine.importers.metric_names import metric_of
from engine.importers.tally import Tally

MOST_VALUES = 5_000_000
MOST_CURVES = 1_000
MOST_SETTINGS = 1_000
POINTS = 4_000
"""Points of a curve that are kept."""
_EPOCH = ("epoch", "train/epoch")
_LARGEST_STEP = 1 << 53
_DEEPEST = 8
_LONGEST = 300
_SECRET = (
    "password", "passwd", "secret", "api_key", "apikey", "access_token", "auth_token", "hf_token",
    "hub_token", "private_key",
)  # fmt: skip

_NOT_FINITE = "NaN or infinite values, left out: {}."
_TOO_MANY = f"Values beyond the first {MOST_VALUES:,}, left out: {{}}."
_TOO_MANY_CURVES = f"Values of curves beyond the first {MOST_CURVES:,}, left out: {{}}."
_REPEATED = "Values written again for the same step, of which the later ones are kept: {}."
_RESTARTED = "Values from the step on at which a restart continued, left out: {}."
_DOWNSAMPLED = f"Values downsampled, as a curve keeps about {POINTS:,} points: {{}}."
_WRONG_STEP = "Values without a usable step, left out: {}."
_SETTINGS = f"Settings beyond the first {MOST_SETTINGS:,}, left out: {{}}."
_SECRETS = "Settings named like secrets, left out: {}."

Setting = str | int | float | bool
Point = tuple[int, float, float]
"""Step, seconds since 1970 (0 where unknown), value."""


@dataclass
class Series:
    """The values of one curve as they are read."""

    steps: array[int] = field(default_factory=lambda: array("q"))
    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def discard(self, step: int) -> int:
        """Discard the values from a step on; returns their number."""
        kept = [place for place, each in enumerate(self.steps) if each < step]
        dropped = len(self.steps) - len(kept)
        self.steps = array("q", (self.steps[place] for place in kept))
        self.times = array("d", (self.times[place] for place in kept))
        self.values = array("d", (self.values[place] for place in kept))
        return dropped

    def points(self, tally: Tally) -> list[Point]:
        """Return the points by rising steps, the last value of each step, not too many."""
        found = {
            step: (step, time, value)
            for step, time, value in zip(self.steps, self.times, self.values, strict=True)
        }
        if repeated := len(self.steps) - len(found):
            tally.add(_REPEATED, repeated)
        points = [found[step] for step in sorted(found)]
        stride = -(-len(points) // POINTS)
        if stride <= 1:
            return points
        kept = points[:-1:stride] + points[-1:]
        tally.add(_DOWNSAMPLED, len(points) - len(kept))
        return kept


@dataclass
class ForeignRun:
    """A run of another program while it is read."""

    program: str
    """The program that wrote it."""
    source: Path
    name: str
    series: dict[tuple[str, str], Series] = field(default_factory=dict)
    """By metric and split."""
    settings: dict[str, Setting] = field(default_factory=dict)
    model: str = ""
    decides: str = ""
    """The metric by which the other program chose the best model, where it says so."""
    started: float = 0.0
    """Seconds since 1970; 0 where unknown."""
    ended: float = 0.0
    left_out: set[str] = field(default_factory=set)
    """Names of values that are no metrics."""
    tally: Tally = field(default_factory=Tally)
    tags: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The metric and the split that each name in the files was read as."""
    epochs: Series = field(default_factory=Series)
    _count: int = 0

    def add(self, tag: str, step: int, time: float, value: float, split: str = "") -> None:
        """Add a value; what cannot be used is counted."""
        if not 0 <= step < _LARGEST_STEP:
            self.tally.add(_WRONG_STEP)
        elif not math.isfinite(value):
            self.tally.add(_NOT_FINITE)
        elif self._count >= MOST_VALUES:
            self.tally.add(_TOO_MANY)
        elif (series := self._series(tag, split)) is None:
            self.tally.add(_TOO_MANY_CURVES)
        else:
            self._count += 1
            series.steps.append(step)
            series.times.append(time if math.isfinite(time) else 0.0)
            series.values.append(value)

    def configure(self, values: Mapping[str, Any], prefix: str = "", depth: int = 0) -> None:
        """Add settings; nested ones by dotted names."""
        for key, value in values.items():
            name = prefix + plain(key, _LONGEST)
            if isinstance(value, Mapping) and depth < _DEEPEST:
                self.configure(value, f"{name}.", depth + 1)
            elif any(word in name.lower() for word in _SECRET):
                self.tally.add(_SECRETS)
            elif value is None or (isinstance(value, float) and not math.isfinite(value)):
                continue
            elif len(self.settings) >= MOST_SETTINGS and name not in self.settings:
                self.tally.add(_SETTINGS)
            else:
                self.settings[name] = _setting(value)

    def rows_before(self, step: int) -> None:
        """Put what was added before at most at ``step``, where another count of steps begins."""
        for series in (*self.series.values(), self.epochs):
            series.steps = array("q", (min(each, step) for each in series.steps))

    def discard(self, step: int, tags: Collection[tuple[str, str]]) -> None:
        """Discard the values from a step on of some tags: a restart continues from there.

        A tag comes with the split of its folder, as it was added.
        """
        dropped = 0
        for tag, split in tags:
            found = self.tags.get(f"{split}:{tag}" if split else tag)
            if tag in _EPOCH:
                dropped += self.epochs.discard(step)
            elif found in self.series:
                dropped += self.series[found].discard(step)
        if dropped:
            self.tally.add(_RESTARTED, dropped)

    def readings(self) -> Iterator[str]:
        """Yield how each name was read, as in ``val/acc → accuracy (validation)``."""
        for tag, (metric, split) in self.tags.items():
            yield f"{plain(tag)} → {metric} ({split})"

    def _series(self, tag: str, split: str) -> Series | None:
        """Return the series of a tag; ``None`` where there are too many."""
        if tag in _EPOCH:
            return self.epochs
        known = self.tags.get(f"{split}:{tag}" if split else tag)
        if known is None:
            if len(self.tags) >= MOST_CURVES:
                return None
            known = metric_of(tag, split)
            if known in self.series:  # two names that would be one curve
                known = (plain(tag, 64), known[1])
            self.tags[f"{split}:{tag}" if split else tag] = known
        return self.series.setdefault(known, Series())


def _setting(value: object) -> Setting:
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int) and abs(value) < _LARGEST_STEP:
        return value
    if isinstance(value, list) and all(isinstance(part, str | int | float) for part in value):
        return plain(", ".join(map(str, value[:100])), _LONGEST)
    return plain(value, _LONGEST)
