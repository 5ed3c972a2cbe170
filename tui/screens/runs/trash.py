"""The deleted runs, to restore or delete for good."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.runs.listing import RunSummary, list_runs
from engine.runs.trash import empty, restore, trash_folder
from tui.charts.canvas import Canvas
from tui.format.text import literal
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.runs.rows import COLUMNS, cells
from tui.widgets.listing import Listing
from tui.widgets.notify import complain, tell
from tui.widgets.steady_footer import SteadyFooter


class TrashScreen(Screen[None]):
    """Restores runs, or empties the trash."""

    CSS_PATH = "trash.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,u", "restore", "Restore"),
        Binding("d,delete", "delete", "Delete for good"),
        Binding("Z", "empty", "Empty"),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    @dataclass
    class Read(Message):
        """The runs in the trash as read from disk, and the last action."""

        rows: Sequence[RunSummary]
        done: str = ""

    @dataclass
    class Failed(Message):
        """An action failed."""

        error: UserError

    def compose(self) -> ComposeResult:
        """Yield a list, or a message that it is empty."""
        yield Canvas(id="heading")
        columns = [each.column for each in COLUMNS]
        make = cells(COLUMNS, ())
        yield Listing[RunSummary](columns, make, lambda row: row.id, choosable=False)
        yield Static("The trash is empty.", id="empty", markup=False)
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the trash in a thread."""
        self.query_one(Listing).focus()
        self._do(lambda: None, "")

    @work(thread=True, exit_on_error=False)
    def _do(self, action: Callable[[], object], done: str) -> None:
        """Run ``action``, then read the rest."""
        try:
            action()
        except UserError as error:
            self.post_message(self.Failed(error))
            done = ""
        try:
            self.post_message(self.Read(list_runs(trash_folder(runs_folder())), done))
        except UserError as error:
            self.post_message(self.Failed(error))

    @on(Read)
    def _show(self, event: Read) -> None:
        listing = self.query_one(Listing)
        listing.set_items(event.rows)
        listing.display = bool(event.rows)
        self.query_one("#empty").display = not event.rows
        count = len(event.rows)
        text = f"Trash   {count:,} run{'s' * (count != 1)}"
        self.query_one("#heading", Canvas).show([literal(text)])
        if event.done:
            tell(self, event.done)

    @on(Failed)
    def _complain(self, event: Failed) -> None:
        complain(self, event.error)

    def action_restore(self) -> None:
        """Restore the run."""
        row = self._current
        if row is not None:
            self._do(lambda: restore(row.run), f"{row.name} is back.")

    def action_delete(self) -> None:
        """Delete the run with all its files."""
        row = self._current
        if row is None:
            return
        question = f"Delete {row.name} with its model and checkpoints for good?"
        self._confirmed(question, row.run.delete, "Deleted.")

    def action_empty(self) -> None:
        """Delete all of them with all their files."""
        count = len(self.query_one(Listing).items)
        if count:
            runs = "the run" if count == 1 else f"all {count:,} runs"
            question = f"Delete {runs} in the trash for good?"
            self._confirmed(question, lambda: empty(runs_folder()), "The trash is empty.")

    @property
    def _current(self) -> RunSummary | None:
        row: RunSummary | None = self.query_one(Listing).current
        return row

    def _confirmed(self, question: str, action: Callable[[], object], done: str) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._do(action, done)

        self.app.push_screen(ConfirmScreen(question), answered)
