"""The newest changes to runs, which can be undone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.errors import RunError
from engine.runs.annotations import Annotations, read_annotations, write_annotations
from engine.runs.directory import RunDirectory
from engine.runs.trash import restore

_MOST = 50


@dataclass(frozen=True)
class Undoable:
    """A change that was made."""

    undo: Callable[[], object]
    """Undoes it; raises :class:`RunError`."""
    undone: str
    """The message afterwards."""


class PastChanges:
    """Changes since the program was opened, the newest last."""

    def __init__(self) -> None:
        self._changes: deque[Undoable] = deque(maxlen=_MOST)

    def take(self) -> Undoable | None:
        """Remove and return the newest change; ``None`` where there is none."""
        return self._changes.pop() if self._changes else None

    def deleted(self, moved: Sequence[RunDirectory]) -> None:
        """Remember runs that were moved into the trash."""
        runs = tuple(moved)
        self._changes.append(
            Undoable(lambda: [restore(run) for run in runs], f"Restored {_named(runs)}.")
        )

    def noted(self, changes: Sequence[tuple[RunDirectory, Annotations, Annotations]]) -> None:
        """Remember runs with their annotations before a change and after it."""
        made = tuple(changes)
        runs = [run for run, _, _ in made]
        undone = f"Tags, note and pin of {_named(runs)} are as before."
        self._changes.append(Undoable(lambda: _put_back(made), undone))


def _put_back(changes: Sequence[tuple[RunDirectory, Annotations, Annotations]]) -> None:
    for run, before, after in changes:
        if read_annotations(run) != after:
            raise RunError(f"The notes of {run.id} were changed since.", "They stay as they are.")
        write_annotations(run, before)


def _named(runs: Sequence[RunDirectory]) -> str:
    return runs[0].id if len(runs) == 1 else f"{len(runs)} runs"
