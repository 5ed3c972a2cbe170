"""The trials of a sweep as a table, and the importance of parameters as bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from engine.sweep.space import Dimension
from engine.sweep.table import SweepTable, TrialRow
from tui.format.numbers import number
from tui.format.text import literal
from tui.widgets.columns import Column

_BAR_CELLS = 8
_NAME = 22
"""Cells of a sweep's name: the rest of its line fits beside it at 80 columns."""
_MUTED = "$foreground 60%"
_COLORS = {"complete": "$success", "failed": "$text-error", "running": "$warning"}


def heading(name: str, table: SweepTable, searching: bool, wanted: int) -> Content:
    """Return the name of a sweep, its state and progress, and the result of the preset as it is."""
    done = sum(row.state != "running" for row in table.trials)
    if searching:
        state = "searching" if table.trials else "preparing the first trial"
    else:  # its process writes the metric first
        state = "ended" if table.metric or table.problem else "not started yet"
    parts = [f"{state}, {done} of {wanted} trials"]
    if table.preset is not None and table.preset.value is not None:
        parts.append(f"= the preset: {number(table.preset.value)}")
    head = Content("Sweep ") + literal(name, _NAME) + Content("   ")
    return head.stylize("bold $primary") + literal("   ".join(parts))


def trial_columns(metric: str, dimensions: Sequence[Dimension]) -> list[Column]:
    """Return a column for each parameter, under the last part of its name, between the others."""
    return [
        Column("", 2, 2),
        Column("Trial", 5, 6, right=True),
        Column("State", 8, 9),
        Column(literal(metric or "value", 20).plain, 9, 14, right=True),
        *(
            Column(literal(dimension.field.rpartition(".")[2], 24).plain, 7, 24, right=True)
            for dimension in dimensions
        ),
        Column("Run", 8, 40),
    ]


def trial_cells(row: TrialRow, table: SweepTable, dimensions: Sequence[Dimension]) -> list[Content]:
    """Return the cells of a trial; the best one and the preset as it is are marked."""
    best = row == table.best
    value = Content(number(row.value))
    return [
        Content("◆ " if best else "= " if row.preset else ""),
        Content(f"{row.number}"),
        literal(row.state).stylize(_COLORS.get(row.state, _MUTED)),
        value.stylize("bold $success") if best else value,
        *(literal(row.values.get(one.field, "")) for one in dimensions),
        literal(row.run).stylize(_MUTED),
    ]


def importance_lines(importance: Mapping[str, float]) -> list[Content]:
    """Return a bar for each parameter."""
    lines = [Content.styled("What made the difference", "bold")]
    for name, share in importance.items():
        cells = round(share * _BAR_CELLS)
        bar = Content.styled("━" * cells, "$primary") + Content(" " * (_BAR_CELLS - cells))
        lines.append(bar + Content(f" {share:4.0%} ") + literal(name.rpartition(".")[2], 40))
    if len(lines) == 1:
        lines.append(Content.styled("It takes a few trials to tell.", _MUTED))
    return lines
