"""The list of a folder of runs, the newest first.

The summary of a run that is not training is kept in an index beside the runs
(:mod:`engine.runs.index`). It is read again when the run's files change.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.files.plain_paths import changed
from engine.runs import index
from engine.runs.directory import RunDirectory, each_run
from engine.runs.index import Entry
from engine.runs.summary import RunSummary, summarize

__all__ = ["FIRST", "RunList", "RunSummary", "list_runs", "summarize"]

FIRST = 50
"""Number of runs read before the index, which takes longer: a screen shows them at once."""


_STAMPED = ("events.jsonl", "worker.json", "annotations.json", "config.toml")


class RunList:
    """The list of a folder, read again only where something may have changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Entry] | None = None
        self._unsaved = 0

    def read(self) -> Iterator[RunSummary]:
        """Yield all runs, the newest first.

        Raises :class:`~engine.errors.RunError` for the folder only.
        """
        known: dict[str, Entry] = self._known or {}
        now: dict[str, Entry] = {}
        for place, run in enumerate(each_run(self._folder)):
            if place == FIRST and self._known is None:
                known = index.load(self._folder)
            entry = now[run.id] = _entry(run, known.get(run.id))
            if place >= FIRST and entry.settled and entry is not known.get(run.id):
                self._unsaved += 1
            yield entry.summary
        self._unsaved += len(known.keys() - now.keys())
        self._known = now

    def save(self) -> None:
        """Save the index for the next start; a failure is ignored."""
        if self._unsaved and self._known is not None and len(self._known) > FIRST:
            index.save(self._folder, self._known)
        self._unsaved = 0


def list_runs(folder: Path) -> list[RunSummary]:
    """Return all runs of a folder, the newest first.

    Raises :class:`~engine.errors.RunError` for the folder only.
    """
    runs = RunList(folder)
    found = list(runs.read())
    runs.save()
    return found


def _entry(run: RunDirectory, known: Entry | None) -> Entry:
    stamp = _stamp(run)
    if known is not None and known.stamp == stamp and known.settled:
        return known
    return Entry(stamp, summarize(run, known.summary if known is not None else None))


def _stamp(run: RunDirectory) -> tuple[int, ...]:
    """Return numbers that change with new events, another worker or new annotations."""
    path = str(run.path)
    return tuple(changed(f"{path}/{name}") for name in _STAMPED)
