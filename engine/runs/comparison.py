"""Comparison of several runs: differing fields of their configurations, and the best metrics."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.config.metric import LOSS, Metric
from engine.errors import RunError
from engine.files import atomic
from engine.files.sanitize import plain
from engine.runs.compared import compared, flattened
from engine.runs.directory import RunDirectory
from engine.runs.imported import ImportedRun
from engine.runs.listing import RunSummary, summarize
from engine.runs.spread import Alike, alike

if TYPE_CHECKING:
    from engine.config.run_config import RunConfig

_NAMES = ("name", "title")
"""Fields that only name a run."""


@dataclass(frozen=True, slots=True)
class Row:
    """A field of the configuration, or a metric, with its value in every run."""

    name: str
    values: tuple[Any, ...]
    """In the order of the runs; ``None`` where a run has no such value."""
    best: frozenset[int] = frozenset()
    """Places of the best values of a metric; none where all are the same."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The differences between runs."""

    runs: tuple[RunSummary, ...]
    differences: tuple[Row, ...]
    """Fields whose values are not the same in all."""
    metrics: tuple[Row, ...]
    """Final metrics that all the tasks have, the deciding one first."""
    common: tuple[str, ...] = ()
    """Names of all metrics that all the tasks have."""
    note: str = ""
    """A note where the runs have different tasks."""
    alike: tuple[Alike, ...] = ()
    """Groups of runs that differ by a seed or a fold alone."""

    def rows(self) -> Iterator[Row]:
        """Yield all rows of the table."""
        yield Row("run", tuple(run.id for run in self.runs))
        yield Row("state", tuple(str(run.state) for run in self.runs))
        yield from self.metrics
        yield from self.differences

    def as_csv(self) -> str:
        """Return one row a run, numbers in full; for spreadsheets and programs."""
        rows = list(self.rows())
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow([row.name for row in rows])
        for place in range(len(self.runs)):
            table.writerow([_harmless(row.values[place]) for row in rows])
        return text.getvalue()

    def as_markdown(self) -> str:
        """Return one column a run, the best values in bold; for reports."""
        runs = [_cell(run.name) for run in self.runs]
        lines = [f"| | {' | '.join(runs)} |", "|---" * (len(runs) + 1) + "|"]
        for row in self.rows():
            cells = [
                f"**{_cell(value)}**" if place in row.best else _cell(value)
                for place, value in enumerate(row.values)
            ]
            lines.append(f"| {_cell(row.name)} | {' | '.join(cells)} |")
        return "\n".join([*([f"{self.note}\n"] if self.note else []), *lines, *self._spreads(), ""])

    def _spreads(self) -> Iterator[str]:
        """Yield a list of each group's means for reports."""
        for group in self.alike:
            yield f"\n{_cell(group.title)} (mean ± standard deviation)\n"
            yield from (f"- {_cell(name)}: {spread.text}" for name, spread in group.metrics.items())


def compare(runs: Sequence[RunDirectory]) -> Comparison:
    """Compare runs. Raises :class:`RunError` for one that cannot be read."""
    summaries = tuple(map(summarize, runs))
    imported = [run.config.imported() for run in runs]
    if any(imported):
        return _with_imported(runs, imported, summaries)
    configs = [run.config.read() for run in runs]
    tasks = list(dict.fromkeys(config.task.kind for config in configs))
    metrics = common_metrics([config.task.metrics for config in configs])
    note = ""
    if len(tasks) > 1:
        shared = ", ".join(metric.name for metric in metrics)
        note = f"The tasks differ ({', '.join(tasks)}); metrics that all have: {shared}."
    return Comparison(
        summaries,
        tuple(differences(configs)),
        tuple(row for metric in metrics if (row := _metric_row(metric, summaries)) is not None),
        tuple(metric.name for metric in metrics),
        note,
        tuple(alike(configs, summaries, metrics)),
    )


def _with_imported(
    runs: Sequence[RunDirectory],
    imported: Sequence[ImportedRun | None],
    summaries: tuple[RunSummary, ...],
) -> Comparison:
    """Compare runs of which other programs made some."""
    parts = compared(runs, imported)
    metrics = common_metrics([part.metrics for part in parts])
    unranked = frozenset[str]().union(*(part.unranked for part in parts))
    rows = [row for metric in metrics if (row := _metric_row(metric, summaries)) is not None]
    programs = [known.program for known in imported if known is not None]
    return Comparison(
        summaries,
        tuple(_differing([part.settings for part in parts])),
        tuple(Row(row.name, row.values) if row.name in unranked else row for row in rows),
        tuple(metric.name for metric in metrics),
        f"Imported: {len(programs)} of the runs ({', '.join(dict.fromkeys(programs))}). Their data "
        "and their definitions of metrics may differ.",
    )


def write_comparison(comparison: Comparison, path: Path) -> None:
    """Write a file in the format of its suffix. Raises :class:`RunError`."""
    forms = {".csv": comparison.as_csv, ".md": comparison.as_markdown}
    if path.suffix not in forms:
        raise RunError(f"{path.name!r} has no known format.", "Let its name end in .csv or .md.")
    try:
        atomic.write_text(path, forms[path.suffix]())
    except OSError as error:
        raise RunError(f"Cannot write {path}: {error.strerror}.") from error


def common_metrics(offered: Sequence[Sequence[Metric]]) -> list[Metric]:
    """Return the metrics that all runs have, in the order of the first; always with the loss."""
    first, *others = ({metric.name: metric for metric in (*metrics, LOSS)} for metrics in offered)
    return [metric for name, metric in first.items() if all(name in other for other in others)]


def differences(configs: Sequence[RunConfig]) -> Iterator[Row]:
    """Yield the fields, by dotted name, whose values differ between configurations."""
    yield from _differing([dict(flattened(config.values())) for config in configs])


def _differing(flat: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    for name in dict.fromkeys(name for fields in flat for name in fields):
        values = tuple(fields.get(name) for fields in flat)
        if name not in _NAMES and any(value != values[0] for value in values):
            yield Row(name, values)


def _metric_row(metric: Metric, runs: Sequence[RunSummary]) -> Row | None:
    """Return the final values of a metric; ``None`` where no run has one."""
    values = tuple(run.metrics.get(metric.name) for run in runs)
    known = [value for value in values if value is not None]
    if not known:
        return None
    best = max(known) if metric.higher_is_better else min(known)
    places = frozenset(place for place, value in enumerate(values) if value == best)
    return Row(metric.name, values, places if len(places) < len(known) else frozenset())


def shown_text(value: Any) -> str:
    """Return a value of a row beside others: a text or a list that is empty is called so."""
    return text_of(value) or "(empty)"


def text_of(value: Any) -> str:
    """Return a value of a row, formatted for people."""
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(text_of, value))
    return f"{value:.6g}" if isinstance(value, float) else plain(value, 300)


def _harmless(value: Any) -> Any:
    """Escape a cell of a spreadsheet: text is never taken for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return value
    text = text_of(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _cell(value: Any) -> str:
    """Escape a cell of a Markdown table: nothing in it ends the cell or is taken for HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text_of(value))
