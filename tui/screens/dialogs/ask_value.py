"""A dialog for one value, which is validated while it is typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from engine.errors import UserError
from tui.format.text import literal
from tui.widgets.plain_input import PlainInput

_HINT = "enter confirms · esc cancels"


class AskValueScreen(ModalScreen[str | None]):
    """Dismisses the typed text, if ``check`` accepts it; ``None`` for none."""

    CSS_PATH = "ask_value.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, title: str, value: str, check: Callable[[str], object]) -> None:
        """Validate with ``check``, which raises :class:`UserError` for an invalid text."""
        super().__init__()
        self._title = title
        self._value = value
        self._check = check

    def compose(self) -> ComposeResult:
        """Yield the input and, below it, the key hints or the error."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._title)
            yield PlainInput(self._value, compact=True)
            yield Static(_HINT, id="hint", markup=False)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        problem = self._problem(event.value)
        hint = self.query_one("#hint", Static)
        hint.update(literal(problem or _HINT, 300))
        hint.set_class(bool(problem), "-wrong")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if not self._problem(event.value):
            self.dismiss(event.value.strip())

    def _problem(self, text: str) -> str:
        try:
            self._check(text.strip())
        except UserError as error:
            return str(error)
        return ""
