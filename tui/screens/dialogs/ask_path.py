"""A dialog for an output path."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from tui.format.text import literal
from tui.widgets.dialog import Dialog
from tui.widgets.form.paths import PathSuggester
from tui.widgets.hints import Hints
from tui.widgets.plain_input import PlainInput


class AskPathScreen(Dialog[str | None]):
    """Dismisses the typed path, ``None`` for none."""

    CSS_PATH = "ask_path.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, title: str, path: str) -> None:
        super().__init__()
        self._title = title
        self._path = path

    def compose(self) -> ComposeResult:
        """Yield an input that completes file names."""
        with Vertical(id="box") as box:
            box.border_title = literal(self._title)
            yield PlainInput(self._path, suggester=PathSuggester(), compact=True)
            yield Hints(
                ("enter", "enter takes"), ("right", "right completes"), ("escape", "esc goes back")
            )

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)
