"""A dialog with a yes-or-no question."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Label

from tui.format.text import literal
from tui.widgets.dialog import Dialog
from tui.widgets.hints import Hints


class ConfirmScreen(Dialog[bool]):
    """Dismisses ``True`` for ``y`` or enter, ``False`` for anything that means no."""

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "answer(True)", "Yes"),
        Binding("n,escape,q", "answer(False)", "No"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        """Yield the question in a box."""
        with Vertical(id="box"):
            yield Label(literal(self._question, 500), id="question")
            yield Hints(("y", "y  yes"), ("n", "n  no"))

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)
