"""A dialog for the search space of a new sweep."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input, Label, Static

from engine.config.presets import find_preset, list_presets, load_preset
from engine.config.run_config import fields_of
from engine.errors import UserError
from engine.sweep.compose import begin, compose, require_optuna
from engine.sweep.directory import SweepDirectory
from tui.format.text import literal
from tui.screens.dialogs.pick import PickScreen
from tui.widgets.dialog import Dialog
from tui.widgets.hints import Hints
from tui.widgets.plain_input import PlainInput

_EXAMPLE = "train.learning_rate=1e-4..1e-1:log train.batch_size=16,32,64"


class NewSweepScreen(Dialog[SweepDirectory | None]):
    """Dismisses the new sweep, ``None`` for none."""

    CSS_PATH = "new_sweep.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "Back"),
        Binding("ctrl+o", "choose", "Choose a preset or a field", priority=True),
    ]

    @dataclass
    class Answer(Message):
        """The new sweep, or the error."""

        answer: SweepDirectory | UserError

    def __init__(self, base: str = "") -> None:
        """Begin with the preset or TOML file ``base``."""
        super().__init__()
        self._base = base or "digits-cnn"

    def compose(self) -> ComposeResult:
        """Yield a line for each part, as on the command line."""
        with Vertical(id="box") as box:
            box.border_title = "New sweep"
            yield Label("Preset, or a TOML file")
            yield PlainInput(self._base, id="preset", compact=True)
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
            yield Hints(
                ("enter", "enter begins"),
                ("ctrl+o", "ctrl+o chooses a preset, a field"),
                ("escape", "esc goes back"),
            )

    def on_mount(self) -> None:
        """Say at once what is missing on this machine."""
        try:
            require_optuna()
        except UserError as error:
            self._complain(error)

    def action_choose(self) -> None:
        """Choose a preset, or a field that is added to what may be tried."""
        base, fields = self.query_one("#preset", PlainInput), self.query_one("#space", PlainInput)
        self._read_names(base.value, of_fields=fields.has_focus)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _read_names(self, base: str, of_fields: bool) -> None:
        try:
            if of_fields:
                names = list(fields_of(load_preset(find_preset(base)).values()))
            else:
                names = [preset.name for preset in list_presets()]
        except UserError as error:
            self.app.call_from_thread(self._complain, error)
        else:
            self.app.call_from_thread(self._offer, names, base, of_fields)

    def _offer(self, names: Sequence[str], base: str, of_fields: bool) -> None:
        def chosen(name: str | None) -> None:
            if name is not None:
                box = self.query_one("#space" if of_fields else "#preset", PlainInput)
                before = f"{box.value.rstrip()} ".lstrip() if of_fields else ""
                box.value = f"{before}{name}=" if of_fields else name
                box.cursor_position = len(box.value)

        title = "A field to try values of" if of_fields else "Preset"
        self.app.push_screen(PickScreen(title, names, base), chosen)

    def _complain(self, error: UserError) -> None:
        self.query_one("#wrong", Static).update(literal(f"! {error}", 400))

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
            self._complain(event.answer)
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
