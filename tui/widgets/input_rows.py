"""Input lines for a model: one for each column that it needs, and one for a file.

A forecast, which needs many rows, has those for files alone: of the past, and of the future where
columns are known ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Static
from typing_extensions import override

from engine.files.sanitize import plain
from tui.format.text import literal
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.form.paths import PathSuggester
from tui.widgets.form.value_input import ValueInput


class RowInput(ValueInput):
    """One input line; pasted text of several lines is joined to one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Ask"),
        Binding("escape", "leave(False)", "Back"),
        Binding("tab", "complete", "Complete, next line", show=False),
        Binding("shift+tab,up", "step(-1)", "Line above", show=False),
        Binding("down", "step(1)", "Line below", show=False),
    ]

    async def action_submit(self) -> None:
        """Submit; the next typed text replaces the submitted one."""
        await super().action_submit()
        self.select_all()

    @override
    def action_step(self, step: int) -> None:
        """Move to another line."""
        next(node for node in self.ancestors if isinstance(node, InputRows)).go(self, step)

    def on_paste(self, event: events.Paste) -> None:
        """Handle a paste here, as Textual takes the first line only."""
        event.prevent_default()
        event.stop()
        self.replace(" ".join(event.text.splitlines()), *sorted(self.selection))


class InputRows(VerticalScroll, can_focus=False):
    """Posts the input as :class:`Asked`; the last lines are for files."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o", "file", "File", tooltip="Choose a file of rows", priority=True),
    ]

    DEFAULT_CSS = """
    InputRows {
        height: auto;
        max-height: 50%;
        Horizontal { height: 1; }
        Static { width: 26; padding: 0 1; color: $text-muted; text-wrap: nowrap;
            text-overflow: ellipsis; }
        RowInput { width: 1fr; background: $surface; }
        RowInput:focus { background: $boost; }
    }
    """

    @dataclass
    class Asked(Message):
        """A row of texts by column, or a file of rows and perhaps one of their future."""

        row: dict[str, str]
        file: str = ""
        future: str = ""

    class Left(Message):
        """Input has ended."""

    def __init__(
        self,
        columns: Sequence[str],
        ahead: Sequence[str] = (),
        typed: str = "",
        by_row: bool = True,
    ) -> None:
        """``ahead`` are the columns of a file of the future, if the model takes one.

        The first line begins with what was ``typed`` before it was there. Unless ``by_row``, there
        are no lines for the columns of a row.
        """
        super().__init__()
        self._typed = typed
        self._columns = columns if by_row else ()
        self._inputs = [_line(PathSuggester(rooted=True)) for _ in self._columns]
        asked = ", ".join(plain(name, 40) for name in columns)
        files = "CSV, JSON lines, Parquet …"
        hint = f"{files}: many rows at once" if by_row else f"{files} with {asked}"
        self._file = _line(PathSuggester(), hint)
        known = ", ".join(plain(name, 40) for name in ahead)
        self._future = _line(PathSuggester(), f"known ahead: {known}") if ahead else None
        self.above: Callable[[], None] | None = None
        """Focuses what is above the first line, where there is something."""

    def compose(self) -> ComposeResult:
        """Yield a name and a line for each column."""
        for name, line in zip(self._columns, self._inputs, strict=True):
            yield Horizontal(Static(literal(name)), line)
        yield Horizontal(Static("or a file" if self._inputs else "a file of the past"), self._file)
        if self._future is not None:
            yield Horizontal(Static("and its future"), self._future)

    def on_mount(self) -> None:
        """Focus the first line, behind what was typed."""
        first = self._inputs[0] if self._inputs else self._file
        first.value = self._typed
        first.cursor_position = len(first.value)
        first.focus()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        """Submit the row that the line belongs to; it may hold newer text by now."""
        event.stop()
        values = [
            (event.value if line is event.input else line.value).strip() for line in self._inputs
        ]
        row = {name: value for name, value in zip(self._columns, values, strict=True) if value}
        if event.input in (self._file, self._future):
            files = (line for line in (self._file, self._future) if line is not None)
            named = (event.value if line is event.input else line.value for line in files)
            self.post_message(self.Asked({}, *(name.strip() for name in named)))
        else:
            self.post_message(self.Asked(row))

    @on(ValueInput.Left)
    def _left(self, event: ValueInput.Left) -> None:
        """End the input; nothing is kept."""
        event.stop()
        self.post_message(self.Left())

    def action_file(self) -> None:
        """Choose a file for the line of files that has the focus, else for the first of them."""
        future = self._future
        line = future if future is not None and future.has_focus else self._file

        def chosen(path: str | None) -> None:
            if path:
                line.value = path
                line.cursor_position = len(path)
                line.focus()

        title = "The rows of a file (CSV, JSON lines, Parquet …)"
        self.app.push_screen(PathPickerScreen(title, line.value, purpose="read"), chosen)

    def go(self, line: RowInput, step: int) -> None:
        """Move to the line above or below, wrapping at the ends, or to what is above."""
        lines = [*self._inputs, self._file, *filter(None, [self._future])]
        place = lines.index(line) + step
        if self.above is not None and not 0 <= place < len(lines):
            self.above()
        else:
            self.screen.set_focus(lines[place % len(lines)])


def _line(suggester: PathSuggester, hint: str = "") -> RowInput:
    return RowInput(placeholder=hint, suggester=suggester, compact=True, select_on_focus=False)
