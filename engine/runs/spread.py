"""Runs that differ by a random seed or a fold alone: the mean of their metrics and the spread."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from engine.config.metric import Metric
from engine.runs.summary import RunSummary

if TYPE_CHECKING:
    from engine.config.run_config import RunConfig

_CHANCE = {"train": ("seed",), "data": ("split_seed", "fold")}
"""Fields that say nothing about how good a method is."""
_NAMES = ("name", "title")
_DIGITS = 12
"""Most significant digits of a mean; a deviation below them is that of rounding."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and standard deviation of a metric over runs."""

    mean: float
    deviation: float
    runs: int
    """Runs that have the metric."""

    @property
    def text(self) -> str:
        """The mean, plus and minus the deviation."""
        large = self.deviation >= 99.5  # two digits would be 1e+02
        return f"{self._mean_text()} ± {self.deviation:{'.0f' if large else '.2g'}}"

    def _mean_text(self) -> str:
        """Return four significant digits, or as many as reach the second one of the deviation."""
        if not self.mean or not self.deviation:
            return f"{self.mean:.4g}"
        digits = math.floor(math.log10(abs(self.mean))) - math.floor(math.log10(self.deviation)) + 2
        return f"{self.mean:.{min(max(4, digits), _DIGITS)}g}"


@dataclass(frozen=True, slots=True)
class Alike:
    """Runs of one configuration with other seeds or folds."""

    places: tuple[int, ...]
    """Positions among the runs that are compared."""
    name: str
    """The name of the first run."""
    differ_by: tuple[str, ...]
    """The fields whose values are not the same in all."""
    metrics: Mapping[str, Spread]

    @property
    def title(self) -> str:
        """The name, with the number of runs and their difference."""
        return f"{self.name}: {len(self.places)} runs that differ by {', '.join(self.differ_by)}"

    def record(self, ids: Sequence[str]) -> dict[str, Any]:
        """The group for programs; ``ids`` are those of all runs."""
        return {
            "runs": [ids[place] for place in self.places],
            "differ_by": list(self.differ_by),
            "metrics": {name: asdict(spread) for name, spread in self.metrics.items()},
        }


def alike(
    configs: Sequence[RunConfig], runs: Sequence[RunSummary], metrics: Sequence[Metric]
) -> Iterator[Alike]:
    """Yield the groups of at least two runs, in the order of their first."""
    groups: dict[str, list[int]] = {}
    for place, config in enumerate(configs):
        groups.setdefault(_method(config), []).append(place)
    for places in groups.values():
        found = {metric.name: _spread(metric.name, [runs[at] for at in places])
                 for metric in metrics}  # fmt: skip
        differ_by = tuple(_differ_by([configs[place] for place in places]))
        if len(places) > 1 and differ_by:
            known = {name: spread for name, spread in found.items() if spread is not None}
            yield Alike(tuple(places), configs[places[0]].name, differ_by, known)


def _method(config: RunConfig) -> str:
    """Return all that is set but seeds, folds and names."""
    values = config.anchored().values()
    for name in _NAMES:
        values.pop(name, None)
    for section, fields in _CHANCE.items():
        for field in fields:
            values[section].pop(field, None)
    return json.dumps(values, sort_keys=True, default=str)


def _differ_by(configs: Sequence[RunConfig]) -> Iterator[str]:
    for section, fields in _CHANCE.items():
        for field in fields:
            if len({getattr(getattr(config, section), field) for config in configs}) > 1:
                yield f"{section}.{field}"


def _spread(metric: str, runs: Sequence[RunSummary]) -> Spread | None:
    """Return the spread of a metric over the runs that have it; ``None`` for fewer than two."""
    values = [run.metrics.get(metric) for run in runs]
    known = [value for value in values if value is not None and math.isfinite(value)]
    return Spread(fmean(known), stdev(known), len(known)) if len(known) > 1 else None
