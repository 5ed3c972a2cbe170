"""The metrics and settings by which a run is compared with runs that other programs made."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.config.metric import Metric
from engine.runs.directory import RunDirectory
from engine.runs.imported import ImportedRun

if TYPE_CHECKING:
    from engine.config.run_config import RunConfig


@dataclass(frozen=True)
class Compared:
    """One run's part of a comparison."""

    metrics: Sequence[Metric]
    settings: Mapping[str, Any]
    """By dotted name."""
    unranked: frozenset[str] = frozenset()
    """Metrics of which it is unknown which values are better."""


def compared(
    runs: Sequence[RunDirectory], imported: Sequence[ImportedRun | None]
) -> list[Compared]:
    """Return what each run brings; ``imported`` has what is known of those of other programs.

    Of this program's own runs, the fields that another one has are shown, and those that are not
    at their defaults. Raises :class:`~engine.errors.RunError`.
    """
    wanted = {name for known in imported if known is not None for name in known.fields}
    return [
        _of_imported(known) if known is not None else _of_own(run.config.read(), wanted)
        for run, known in zip(runs, imported, strict=True)
    ]


def _of_imported(run: ImportedRun) -> Compared:
    metrics = [Metric(name, better == "higher") for name, better in run.metrics.items()]
    unranked = frozenset(name for name, better in run.metrics.items() if better == "unknown")
    return Compared(metrics, run.fields, unranked)


def _of_own(config: RunConfig, wanted: Collection[str]) -> Compared:
    changed = dict(flattened(config.changes()))
    settings = {
        name: value
        for name, value in flattened(config.values())
        if name in wanted or name in changed
    }
    return Compared(config.task.metrics, settings)


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested values by dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
