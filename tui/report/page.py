"""The content of a page about a run, in blocks that any format can write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomlkit

from engine.errors import RunError
from engine.reports.counted import counted
from engine.reports.note_table import HEADINGS, cells, notes_in
from engine.reports.views import Lines, Matrix, Table, Texts, View, read_view
from engine.runs.directory import RunDirectory
from engine.runs.follower import read_history
from engine.runs.history import History
from engine.runs.listing import RunSummary, summarize
from tui.format.evals import evals_table
from tui.format.imported import imported_facts
from tui.format.numbers import known_count, number
from tui.format.run_facts import facts, metrics_table
from tui.format.verdict import judged, verdict

Point = tuple[float, float]
_COLUMN = ("name", "type", "role", "missing", "distinct", "example")


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    pairs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; the cells are text already."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Diagram:
    """Curves over a common axis."""

    axis: str
    curves: Mapping[str, Sequence[Point]]
    dots: Sequence[str] = ()
    """Names of curves that are points without a line between them."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Text whose line breaks count, such as a file or a log."""

    text: str


Block = Facts | Grid | Diagram | Passage


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Page:
    """All about one run."""

    title: str
    parts: Sequence[Part]


def page(run: RunDirectory) -> Page:
    """The page of ``run``; raises :class:`RunError` where its files cannot be read."""
    summary, history, report = summarize(run), read_history(run), run.report.read()
    parts = [
        Part("Summary", [Facts(facts(summary, history))]),
        *_results(report),
        *_benchmarks(run),
        *_data(history),
        *_charts(history),
        *_views(report),
        *_configuration(summary),
        *_environment(history),
        *_warnings(history),
    ]
    return Page(summary.name or summary.id, parts)


def _results(report: dict[str, Any] | None) -> Iterator[Part]:
    if report is not None:
        columns, rows = metrics_table(report)
        facts = verdict(report) | judged(report)
        yield Part("Results", [Grid(columns, rows), *([Facts(facts)] if facts else [])])


def _benchmarks(run: RunDirectory) -> Iterator[Part]:
    """Results of lm-eval."""
    columns, rows = evals_table(run.evals.read())
    if rows:
        yield Part("Benchmarks", [Grid(columns, rows)])


def _data(history: History) -> Iterator[Part]:
    """The data as it was read, and what was converted, left out or is in doubt."""
    data = history.data
    if data is None:
        return
    rows = {split: counted(count, "row") for split, count in (data.get("rows") or {}).items()}
    blocks: list[Block] = [Facts({"source": str(data.get("source", "")), **rows})]
    if columns := data.get("columns"):
        described = [[_described(column, key) for key in _COLUMN] for column in columns]
        blocks.append(Grid(_COLUMN, described))
    if notes := notes_in(data):
        blocks.append(Grid(HEADINGS, list(map(cells, notes))))
    yield Part("Data", blocks)


def _described(column: Mapping[str, Any], key: str) -> str:
    return known_count(column.get(key)) if key == "distinct" else str(column.get(key, ""))


def _charts(history: History) -> Iterator[Part]:
    """A chart for each metric, training and validation together."""
    for metric in dict.fromkeys(name for name, _ in history.curves):
        curves = {
            split: [(float(point.step), point.value) for point in curve.points]
            for (name, split), curve in history.curves.items()
            if name == metric and curve.points
        }
        if curves:
            yield Part(metric, [Diagram("update", curves)])


def _views(report: dict[str, Any] | None) -> Iterator[Part]:
    for record in (report or {}).get("views", []):
        view = read_view(record)
        if view is not None:
            yield Part(view.title, list(view_blocks(view)))


def view_blocks(view: View) -> Iterator[Block]:
    """Yield what a page shows of a view."""
    match view:
        case Table():
            yield Grid(view.columns, [[_cell(cell) for cell in row] for row in view.rows])
        case Matrix():
            rows = [
                [label, *map(_cell, values)]
                for label, values in zip(view.labels, view.values, strict=True)
            ]
            yield Grid(["truth \\ predicted", *view.labels], rows)
        case Lines():
            named = {name: _points(view.x, ys) for name, ys in view.series.items()}
            yield Diagram("", named, view.points)
        case Texts():
            yield from (Facts(item) for item in view.items)


def _cell(value: str | float | None) -> str:
    if isinstance(value, str | int):
        return str(value)
    return number(value)


def _points(xs: Sequence[float], ys: Sequence[float | None]) -> list[Point]:
    return [(x, y) for x, y in zip(xs, ys, strict=True) if y is not None]


def _configuration(summary: RunSummary) -> Iterator[Part]:
    try:
        if (imported := summary.run.config.imported()) is not None:
            yield Part("Imported", [Facts(imported_facts(imported))])
            return
        values = summary.run.config.read().changes()
    except RunError as error:
        yield Part("Configuration", [Passage(str(error))])
        return
    yield Part("Configuration", [Passage(tomlkit.dumps(values).strip())])


def _environment(history: History) -> Iterator[Part]:
    started = history.started
    if started is not None:
        settings = {
            "device": started.device,
            "precision": started.precision,
            "threads": str(started.threads),
        }
        yield Part("Environment", [Facts(settings | started.versions)])


def _warnings(history: History) -> Iterator[Part]:
    lines = [log.message for log in history.log if log.level in ("warning", "error")]
    if lines:
        yield Part("Warnings", [Passage("\n".join(lines))])
