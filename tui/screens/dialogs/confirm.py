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
    """Dismisses ``True`` for ``y``, ``False`` for anything that means no.

    Enter means yes, except for what is ``risky``: that is lost for good.
    """

    CSS_PATH = "confirm.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes"),
        Binding("enter", "enter", "Yes, or no where something is lost", show=False),
        Binding("n,escape,q", "answer(False)", "No"),
    ]

    typed_keys = frozenset("yn")
    """Keys that are not moved: they are the letters of the answers."""

    def __init__(self, question: str, risky: bool = False) -> None:
        super().__init__()
        self._risky = risky
        self._question = question

    def compose(self) -> ComposeResult:
        """Yield the question in a box."""
        with Vertical(id="box"):
            yield Label(literal(self._question, 500), id="question")
            yes, no = ("y", "n, enter") if self._risky else ("y, enter", "n")
            yield Hints(("y", f"{yes}  yes"), ("n", f"{no}  no"))

    def action_enter(self) -> None:
        """Close with the answer that loses nothing."""
        self.dismiss(not self._risky)

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)
