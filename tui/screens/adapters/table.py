"""The table of adapters, grouped by base model."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from textual.content import Content

from engine.runs.adapters import AdapterSummary
from tui.format.numbers import number, size
from tui.format.text import literal
from tui.widgets.columns import Column

COLUMNS = (
    Column("", 2, 2),
    Column("Base", 8, 36),
    Column("Run", 9, 30),
    Column("Method", 6, 6),
    Column("r", 3, 4, right=True),
    Column("Targets", 9, 40),
    Column("Size", 8, 8, right=True),
    Column("Metric", 8, 11, right=True),
    Column("Value", 7, 8, right=True),
    Column("Date", 8, 8),
)


@dataclass(frozen=True)
class Row:
    """An adapter, and whether it is the first of its base model."""

    adapter: AdapterSummary
    first: bool
    marked: bool = False


def cells(row: Row) -> list[Content]:
    """Return the cells of a row; only the first of a base model names it."""
    adapter, run = row.adapter, row.adapter.run
    base = adapter.base.rstrip("/").rpartition("/")[2] if row.first else ""
    targets = literal(", ".join(adapter.targets))
    if adapter.problem:
        targets = literal(adapter.problem).stylize("$text-error")
    return [
        Content.styled("●", "bold $success") if row.marked else Content(""),
        literal(base).stylize("bold"),
        literal(run.name),
        literal(adapter.method),
        Content(str(adapter.r)),
        targets,
        Content(size(adapter.size)),
        literal(run.metric),
        Content(number(run.value)),
        Content(f"{datetime.fromtimestamp(run.started):%y-%m-%d}"),
    ]
