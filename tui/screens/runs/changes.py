"""Changes to runs on disk, chosen in the list of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from textual.screen import Screen

from engine.runs.status import State
from engine.runs.summary import RunSummary
from tui.format.run_states import RESUMABLE
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.placed_changes import PlacedChanges, hosts_of
from tui.screens.runs.annotate import AnnotateScreen, Change
from tui.screens.runs.rows import when
from tui.screens.runs.undo import PastChanges
from tui.terminal.key_names import key_of
from tui.widgets.notify import in_thread, tell


class RunChanges:
    """Makes changes in a thread, since files may be slow; calls ``changed`` there after each."""

    def __init__(self, screen: Screen[None], changed: Callable[[], object]) -> None:
        self._screen = screen
        self._changed = changed
        self._placed = PlacedChanges(lambda: hosts_of(screen.app))
        self._past = PastChanges()

    def stop(self, row: RunSummary) -> None:
        """Ask the run to stop."""
        if row.state.ended:
            tell(self._screen, f"{row.name} has ended.")
            return
        if row.state is State.QUEUED:
            queue, out = (key_of(self._screen.app, name) for name in ("queue", "delete"))
            tell(
                self._screen,
                f"{row.name} waits in the queue: {queue} opens it, {out} takes it out.",
            )
            return
        self._confirmed(
            f"Stop {row.name}? Its model is kept as it is now.",
            lambda: self._placed.stop(row.run),
            "Asked to stop.",
        )

    def resume(self, row: RunSummary) -> None:
        """Resume a run from its last checkpoint."""
        if row.state not in RESUMABLE:
            tell(self._screen, f"A run that is {row.state} cannot be resumed.")
            return
        self._do(lambda: self._placed.resume(row.run), f"{row.name} was resumed.")

    def delete(self, rows: Sequence[RunSummary]) -> None:
        """Move runs to the trash."""
        if not rows:
            return
        here = all(self._placed.is_here(row.run) for row in rows)
        undo = key_of(self._screen.app, "undo")
        self._confirmed(
            f"Put {_names(rows)} into the trash?",
            lambda: self._discard(rows),
            f"In the trash; {undo} undoes it." if here else "In the trash of its machine.",
        )

    def _discard(self, rows: Sequence[RunSummary]) -> None:
        moved = []
        try:
            for row in rows:
                if trashed := self._placed.discard(row.run):
                    moved.append(trashed)
        finally:
            if moved:
                self._past.deleted(moved)

    def undo(self) -> None:
        """Undo the newest change of this machine's runs: deleting, pinning, tags and note."""
        change = self._past.take()
        if change is None:
            tell(self._screen, "There is nothing to undo.")
        else:
            self._do(change.undo, change.undone)

    def pin(self, rows: Sequence[RunSummary]) -> None:
        """Pin or unpin runs."""
        pinned = not all(row.notes.pinned for row in rows)
        self._note(rows, lambda notes: replace(notes, pinned=pinned))

    def annotate(self, rows: Sequence[RunSummary]) -> None:
        """Edit tags and note."""

        def answered(change: Change | None) -> None:
            if change is not None:
                self._note(rows, change)

        if rows:
            dialog = AnnotateScreen([row.notes for row in rows])
            self._screen.app.push_screen(dialog, answered)

    def _note(self, rows: Sequence[RunSummary], change: Change) -> None:
        def write() -> None:
            made = []
            try:
                for row in rows:
                    notes = change(row.notes)
                    self._placed.annotate(row.run, notes)
                    if self._placed.is_here(row.run):
                        made.append((row.run, row.notes, notes))
            finally:
                if made:
                    self._past.noted(made)

        self._do(write, "")

    def _confirmed(self, question: str, action: Callable[[], object], done: str) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._do(action, done)

        self._screen.app.push_screen(ConfirmScreen(question), answered)

    def _do(self, action: Callable[[], object], done: str) -> None:
        in_thread(self._screen, action, done, self._changed)


def _names(rows: Sequence[RunSummary]) -> str:
    if len(rows) > 1:
        return f"{len(rows)} runs"
    return f"{rows[0].name} of {when(rows[0].started)}"
