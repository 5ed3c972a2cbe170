"""The lines of a conversation that are typed in: message, system prompt and sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Static
from typing_extensions import override

from tui.format.text import literal
from tui.widgets.form.value_input import ValueInput

LINE_END = "␊"
"""Stands for a line end in pasted text."""


class Line(ValueInput):
    """One line of input."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Ask"),
        Binding("escape", "leave(False)", "Stop, back"),
        Binding("tab", "complete", "Next line", show=False),
        Binding("shift+tab,up", "step(-1)", "Line above", show=False),
        Binding("down", "step(1)", "Line below", show=False),
    ]

    @override
    def action_step(self, step: int) -> None:
        """Move to another line at once: what is typed next belongs there."""
        next(node for node in self.ancestors if isinstance(node, ChatRows)).go(self, step)

    def on_paste(self, event: events.Paste) -> None:
        """Keep the line ends of pasted text, as a character that is seen."""
        event.prevent_default()
        event.stop()
        self.replace(LINE_END.join(event.text.splitlines()), *sorted(self.selection))


class ChatRows(Vertical, can_focus=False):
    """Posts :class:`Sent` with what is in all lines; the message is cleared then."""

    DEFAULT_CSS = """
    ChatRows {
        height: auto;
        Horizontal { height: 1; }
        Static { width: auto; padding: 0 1; color: $text-muted; }
        .wide { width: 16; text-wrap: nowrap; text-overflow: ellipsis; }
        Line { width: 1fr; background: $surface; }
        Line:focus { background: $boost; }
    }
    """

    @dataclass
    class Sent(Message):
        """The values of the lines; the message may be empty."""

        message: str
        system: str | None
        """None where nothing else than that of the training is typed."""
        context: dict[str, str]
        settings: dict[str, str]
        """Texts by the names of the task's fields."""

    class Left(Message):
        """The escape key was pressed."""

    def __init__(self, settings: Mapping[str, tuple[str, str]]) -> None:
        """``settings`` are titles and first values by the names of the task's fields."""
        super().__init__()
        self._message = Line(compact=True, select_on_focus=False)
        self._system = Line(
            placeholder="instructions before the first message", compact=True,
            select_on_focus=False,
        )  # fmt: skip
        self._given = ""
        self._further: dict[str, Line] = {}
        self._titles = {name: title for name, (title, _) in settings.items()}
        self._settings = {
            name: Line(value, placeholder="varies", compact=True)
            for name, (_, value) in settings.items()
        }

    def compose(self) -> ComposeResult:
        """Yield the lines; those of settings share one."""
        yield _row("message", self._message)
        with_system = _row("system prompt", self._system)
        with_system.id = "system"
        yield with_system
        parts = [
            part for name, line in self._settings.items()
            for part in (Static(self._titles[name]), line)
        ]  # fmt: skip
        yield Horizontal(*parts)

    def on_mount(self) -> None:
        """Focus the message."""
        self._message.focus()

    async def add_context(self, columns: Mapping[str, str], values: Mapping[str, str]) -> None:
        """Add a line for each further column of the prompt, by its role.

        ``values`` by roles, and of the system prompt, are what all training rows have.
        """
        for role, column in columns.items():
            line = Line(_as_line(values.get(role, "")), compact=True, select_on_focus=False)
            self._further[role] = line
            await self.mount(_row(column, line), before="#system")
        self._given = _as_line(values["system"])
        self._system.value = self._system.value or self._given

    def put_back(self, message: str) -> None:
        """Let a message that was not sent be typed further, unless there is another by now."""
        if not self._message.value:
            self._message.value = _as_line(message)
            self._message.cursor_position = len(message)

    def go(self, line: Line, step: int) -> None:
        """Move to the line above or below, wrapping at the ends."""
        lines = list(self.query(Line))
        self.screen.set_focus(lines[(lines.index(line) + step) % len(lines)])

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        """Send the message; the line that was typed in may hold newer text by now."""
        event.stop()
        sent = _read(self._message, event)
        if self._message.value == event.value or event.input is not self._message:
            self._message.clear()
        context = {role: _read(line, event) for role, line in self._further.items()}
        settings = {name: _read(line, event) for name, line in self._settings.items()}
        same = _raw(self._system, event) == self._given
        system = None if same else _read(self._system, event)
        self.post_message(self.Sent(sent, system, context, settings))

    @on(ValueInput.Left)
    def _left(self, event: ValueInput.Left) -> None:
        event.stop()
        self.post_message(self.Left())


def _row(title: str, line: Line) -> Horizontal:
    return Horizontal(Static(literal(title), classes="wide"), line)


def _as_line(text: str) -> str:
    return LINE_END.join(text.splitlines())


def _read(line: Line, event: Input.Submitted) -> str:
    return _raw(line, event).replace(LINE_END, "\n").strip()


def _raw(line: Line, event: Input.Submitted) -> str:
    return event.value if line is event.input else line.value
