"""What is in the data: columns, balance of the classes, the first rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import DataTable, Static

from engine.errors import UserError
from engine.overrides import Tree
from tui.text import literal
from tui.widgets.question import Answer, Answered, Ask, Question

_COLUMNS = 200
_CLASSES = 30
_TABLE_COLUMNS = 40
_NAME = 22
_BAR = 16


class DataPreview(VerticalScroll, can_focus=True):
    """Asks the advisor whenever data or task change, and passes on which columns there are."""

    @dataclass
    class Columns(Message):
        """The columns of the data, each with its type and role; empty while unknown."""

        columns: Mapping[str, str]

    def __init__(self, ask: Ask) -> None:
        super().__init__()
        self._question = Question(self, ask, "preview")
        self._asked: Tree | None = None
        self.problem = ""
        """Why the data cannot be shown."""

    def compose(self) -> ComposeResult:
        """A text above a table."""
        self.border_title = "Data"
        yield Static(id="text")
        yield DataTable(id="rows", cursor_type="none", zebra_stripes=True)

    def on_mount(self) -> None:
        """There are no rows yet; the text alone is gone through with the keys."""
        self._table.can_focus = False
        self._table.display = False

    def show(self, values: Tree | None) -> None:
        """Look at the data of another configuration; ``None`` leaves what is shown."""
        if values is None:
            return
        asked = {section: values[section] for section in ("task", "data")}
        if asked == self._asked:
            return
        self._asked = asked
        self.problem = ""
        self._say(literal("…").stylize("$text-muted"))
        self._question.put(values)

    @property
    def _table(self) -> DataTable[Content]:
        return self.query_one("#rows", DataTable)

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.stop()
        if not self._question.newest(event):
            return
        if isinstance(event.answer, UserError):
            self.problem = str(event.answer)
            self._say(literal(self.problem, 1000).stylize("$text-error"))
        else:
            self._show(event.answer)

    def _say(self, text: Content) -> None:
        self.query_one("#text", Static).update(text)
        self._table.display = False

    def _show(self, answer: Answer) -> None:
        summary = answer["summary"]
        self._say(Content("\n").join(_lines(summary)))
        self._fill(answer["columns"][:_TABLE_COLUMNS], answer["rows"])
        self.post_message(self.Columns(_kinds(answer["columns"], summary["columns"])))

    def _fill(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        table = self._table
        table.clear(columns=True)
        table.add_columns(*[literal(column, 30) for column in columns])
        for row in rows:
            table.add_row(*[literal(cell, 40) for cell in row[: len(columns)]])
        table.display = bool(rows)


def _kinds(names: Sequence[str], columns: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    known = {column["name"]: f"{column['type']}, {column['role']}" for column in columns}
    return {name: known.get(name, "") for name in names}


def _lines(summary: Mapping[str, Any]) -> Iterator[Content]:
    rows = "  ".join(f"{name} {count:,}" for name, count in summary["rows"].items())
    yield literal(summary["source"]).stylize("bold") + literal(f"  {rows}")
    for name, fact in (summary["facts"] or {}).items():
        yield literal(f"{name}: {fact}")
    for skip in summary["skips"]:
        yield literal(f"left out: {skip['count']:,} × {skip['reason']}").stylize("$text-warning")
    for note in summary["notes"]:
        yield literal(note).stylize("$text-warning")
    yield from _column_lines(summary["columns"])
    if summary["classes"]:
        yield from _class_lines(summary["classes"])
    yield Content("")


def _column_lines(columns: Sequence[Mapping[str, Any]]) -> Iterator[Content]:
    yield Content("")
    head = f"{'column':{_NAME}} {'type':11} {'role':9} {'missing':>7} {'distinct':>8}"
    yield literal(head).stylize("$text-muted")
    for column in columns[:_COLUMNS]:
        counts = f"{column['role']:9.9} {column['missing']:7,} {column['distinct']:8,}"
        name = literal(column["name"], _NAME).stylize("bold")
        gap = " " * (_NAME + 1 - len(name.plain))
        yield name + literal(f"{gap}{column['type']:11.11} {counts}  {column['example']}")
    yield from _more(len(columns) - _COLUMNS, "columns")


def _class_lines(classes: Mapping[str, int]) -> Iterator[Content]:
    yield Content("")
    yield literal("class balance (training rows)").stylize("$text-muted")
    most = max(classes.values()) or 1
    total = sum(classes.values()) or 1
    for name, count in list(classes.items())[:_CLASSES]:
        bar = "█" * max(1, round(_BAR * count / most)) if count else ""
        label = literal(name, _NAME)
        gap = Content(" " * (_NAME + 1 - len(label.plain)))
        figures = literal(f" {count:,}  {100 * count / total:.1f} %")
        yield label + gap + Content(f"{bar:{_BAR}}").stylize("$primary") + figures
    yield from _more(len(classes) - _CLASSES, "classes")


def _more(count: int, noun: str) -> Iterator[Content]:
    if count > 0:
        yield literal(f"… and {count:,} more {noun}").stylize("$text-muted")
