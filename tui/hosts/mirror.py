"""The mirror of a host's runs: run directories in the cache that screens read like any other.

rows.json        the list as it was last sent
runs/ID/         a run that was followed: see :mod:`tui.hosts.mirrored_run`

What comes from the host is checked before it is written: ids and names of files by the protocol,
events by their types.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from engine.files import atomic
from engine.remote.messages import Events, File, Followed, Row, Rows
from engine.runs.annotations import Annotations, to_tags
from engine.runs.directory import RunDirectory
from engine.runs.origin import mirror_folder
from engine.runs.summary import RunSummary
from tui.hosts.mirrored_run import MirroredRun

_ROWS: TypeAdapter[tuple[Row, ...]] = TypeAdapter(tuple[Row, ...])


class Mirror:
    """The state of one host's runs; used by one thread, :attr:`rows` may be read by any."""

    def __init__(self, host: str) -> None:
        self._folder = mirror_folder(host)
        self._rows_file = self._folder.parent / "rows.json"
        self._rows: dict[str, Row] = _saved_rows(self._rows_file)
        self._seen: set[str] = set()
        self._runs: dict[str, MirroredRun] = {}
        self._shown = {run: _summary(row, self.directory(run)) for run, row in self._rows.items()}
        self.rows: tuple[RunSummary, ...] = _newest_first(self._shown.values())
        """All runs; replaced as a whole."""
        self.dropped = 0
        """Events that could not be read."""

    def directory(self, run: str) -> RunDirectory:
        """Return the mirrored directory of a run."""
        return RunDirectory(self._folder / run)

    def begin(self) -> None:
        """A connection begins: runs that it does not list are gone, parts of messages are lost."""
        self._seen.clear()
        self._runs.clear()

    def take_rows(self, message: Rows) -> None:
        """Take changes of the list."""
        for row in message.rows:
            self._rows[row.run] = row
            self._shown[row.run] = _summary(row, self.directory(row.run))
            self._seen.add(row.run)
            if self.is_open(row.run):
                self._run(row.run).write_state(row)
        gone = set(self._rows) - self._seen if message.complete else set()
        for run in gone.union(message.gone):
            self._rows.pop(run, None)
            self._shown.pop(run, None)
            self._runs.pop(run, None)
            shutil.rmtree(self._folder / run, ignore_errors=True)
        self.rows = _newest_first(self._shown.values())

    def save(self) -> None:
        """Save the list for the next start; raises ``OSError``."""
        self._rows_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.write_bytes(self._rows_file, _ROWS.dump_json(tuple(self._rows.values())))

    def is_open(self, run: str) -> bool:
        """Return whether a run has a directory here."""
        return (self._folder / run).is_dir()

    def open(self, run: str) -> None:
        """Make the directory of a run. Raises ``OSError``."""
        self._run(run).open(self._rows.get(run))

    def known(self, run: str, whole: bool) -> Followed:
        """Return what the host need not send again of a run."""
        return self._run(run).known(whole)

    def take_file(self, message: File) -> bool:
        """Take a part of a file; returns whether screens can read it. Raises ``OSError``."""
        return self._run(message.run).take_file(message)

    def take_events(self, message: Events) -> bool:
        """Take events; returns whether none are missing before them. Raises ``OSError``."""
        run = self._run(message.run)
        before = run.dropped
        complete = run.take_events(message)
        self.dropped += run.dropped - before
        return complete

    def pending_requests(self, run: str) -> list[Path]:
        """Return the files of requests that screens have written for a run, in order."""
        return self._run(run).pending_requests()

    def _run(self, run: str) -> MirroredRun:
        if run not in self._runs:
            self._runs[run] = MirroredRun(self._folder / run)
        return self._runs[run]


def _newest_first(rows: Iterable[RunSummary]) -> tuple[RunSummary, ...]:
    return tuple(sorted(rows, key=lambda row: row.started, reverse=True))


def _summary(row: Row, run: RunDirectory) -> RunSummary:
    return RunSummary(
        run=run,
        name=row.name,
        state=row.state,
        started=row.started,
        seconds=row.seconds,
        task=row.task,
        data=row.data,
        model=row.model,
        metric=row.metric,
        metrics=row.metrics,
        done=row.done,
        paused=row.paused,
        problem=row.problem,
        notes=Annotations(to_tags(row.tags), row.note, row.pinned),
    )


def _saved_rows(path: Path) -> dict[str, Row]:
    try:
        return {row.run: row for row in _ROWS.validate_json(path.read_bytes())}
    except (OSError, ValidationError):
        return {}
