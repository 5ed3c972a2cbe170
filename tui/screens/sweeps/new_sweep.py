"""A dialog for the search space of a new sweep."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label, Static

from engine.errors import UserError
from engine.sweep.compose import begin, compose
from engine.sweep.directory import SweepDirectory
from tui.format.text import literal
from tui.widgets.dialog import Dialog
from tui.widgets.hints import Hints
from tui.widgets.plain_input import PlainInput

_EXAMPLE = "train.learning_rate=1e-4..1e-1:log train.batch_size=16,32,64"


class NewSweepScreen(Dialog[SweepDirectory | None]):
    """Dismisses the new sweep, ``None`` for none."""

    CSS_PATH = "new_sweep.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]

    @dataclass
    class Answer(Message):
        """The new sweep, or the error."""

        answer: SweepDirectory | UserError

    def compose(self) -> ComposeResult:
        """Yield a line for each part, as on the command line."""
        with Vertical(id="box") as box:
            box.border_title = "New sweep"
            yield Label("Preset, or a TOML file")
            yield PlainInput("digits-cnn", id="preset", compact=True)
            yield Label("What may be tried: ranges, or values with commas")
            yield PlainInput(_EXAMPLE, id="space", compact=True)
            with Horizontal():
                yield Label("Trials ")
                yield PlainInput("30", id="trials", type="integer", max_length=6, compact=True)
                yield Label(" Runs at once ")
                yield PlainInput("1", id="parallel", type="integer", max_length=2, compact=True)
                yield Label(" Minutes, or nothing ")
                yield PlainInput(id="minutes", max_length=7, compact=True)
            yield Label("Name, or nothing for the preset's with -sweep")
            yield PlainInput(id="name", max_length=64, compact=True)
            yield Static(id="wrong")
            yield Hints(("enter", "enter begins"), ("escape", "esc goes back"))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.query_one("#wrong", Static).update("")
        self._begin({box.id or "": box.value for box in self.query(PlainInput)})

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _begin(self, typed: dict[str, str]) -> None:
        try:
            numbers = {name: _whole(name, typed[name]) for name in ("trials", "parallel")}
            minutes = _number("minutes", typed["minutes"]) if typed["minutes"].strip() else None
            config = compose(
                typed["preset"], _words(typed["space"]), typed["name"], minutes=minutes, **numbers
            )
            sweep, _ = begin(config)
        except UserError as error:
            self.post_message(self.Answer(error))
        else:
            self.post_message(self.Answer(sweep))

    @on(Answer)
    def _answered(self, event: Answer) -> None:
        if isinstance(event.answer, UserError):
            self.query_one("#wrong", Static).update(literal(f"! {event.answer}", 400))
        else:
            self.dismiss(event.answer)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UserError(f"What may be tried cannot be read: {error}.") from error


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(f"{name} must be a number.") from None


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise UserError(f"{name} must be a whole number.")
    return int(text)
