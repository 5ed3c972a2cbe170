"""A dialog for tags and note of one run, or for a tag of several runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Label

from engine.files.sanitize import plain
from engine.runs.annotations import LONGEST_NOTE, Annotations, retagged, to_tags
from tui.widgets.dialog import Dialog
from tui.widgets.hints import Hints
from tui.widgets.plain_input import PlainInput

Change = Callable[[Annotations], Annotations]


class AnnotateScreen(Dialog[Change | None]):
    """Dismisses the change to the annotations of each run, ``None`` for none."""

    CSS_PATH = "annotate.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Back")]

    def __init__(self, notes: Sequence[Annotations]) -> None:
        """Take the runs' present annotations as ``notes``."""
        super().__init__()
        self._notes = notes

    def compose(self) -> ComposeResult:
        """Yield the tags and, for one run, the note."""
        with Vertical(id="box") as box:
            if len(self._notes) == 1:
                (notes,) = self._notes
                box.border_title = "Tags and note"
                yield Label("Tags, with spaces between them")
                yield PlainInput(" ".join(notes.tags), id="tags", compact=True)
                yield Label("Note")
                yield PlainInput(notes.note, id="note", max_length=LONGEST_NOTE, compact=True)
            else:
                box.border_title = f"Tags of {len(self._notes)} runs"
                yield Label("Tags to add; -tag takes one away")
                yield PlainInput(id="tags", compact=True)
            yield Hints(("enter", "enter saves"), ("escape", "esc goes back"))

    @on(Input.Submitted)
    def _submitted(self) -> None:
        words = self.query_one("#tags", Input).value
        if len(self._notes) > 1:
            self.dismiss(lambda notes: replace(notes, tags=retagged(notes.tags, words)))
            return
        note = plain(self.query_one("#note", Input).value.strip(), LONGEST_NOTE)
        self.dismiss(lambda notes: replace(notes, tags=to_tags([words]), note=note))
