"""The mirror of a host's runs: run directories in the cache that screens read like any other.

rows.json        the list as it was last sent
runs/ID/         a run that was followed: the files that came, and
    mirror.json  how far its events are known, and the stamps of its files
    worker.json, heartbeat   the state that the host has told

What comes from the host is checked before it is written: ids and names of files by the protocol,
events by their types.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from engine.files import atomic, safe_json
from engine.remote.messages import Events, File, FileName, Followed, Row, Rows
from engine.runs.annotations import Annotations, to_tags
from engine.runs.directory import RunDirectory
from engine.runs.events import KINDS, Event
from engine.runs.origin import mirror_folder
from engine.runs.status import State
from engine.runs.summary import RunSummary
from tui.hosts.checked_files import is_readable

_FOREVER = 10 * 365 * 86_400.0
"""A heartbeat that far ahead stands for a process that the host has seen running."""
_LATEST = 1e11
"""The latest time of an event, in seconds since 1970: a calendar must have it."""
_MOST_PENDING = 64 << 20
"""Bytes of parts that are collected for one run."""
_ROWS: TypeAdapter[tuple[Row, ...]] = TypeAdapter(tuple[Row, ...])
_EVENTS: Mapping[str, TypeAdapter[Event]] = {
    name: TypeAdapter(kind) for name, kind in KINDS.items()
}


class _Known(BaseModel):
    """How far a run is mirrored."""

    model_config = ConfigDict(frozen=True)

    position: int = 0
    """Bytes of the host's events."""
    size: int = 0
    """Bytes of the mirrored ones."""
    stamps: dict[FileName, str] = {}
    too_large: dict[FileName, int] = {}
    """Bytes of the files that the host does not send, see :mod:`engine.runs.origin`."""


class Mirror:
    """What is known of one host's runs; used by one thread, :attr:`rows` may be read by any."""

    def __init__(self, host: str) -> None:
        self._folder = mirror_folder(host)
        self._rows_file = self._folder.parent / "rows.json"
        self._rows: dict[str, Row] = _saved_rows(self._rows_file)
        self._seen: set[str] = set()
        self._known: dict[str, _Known] = {}
        self._parts: dict[tuple[str, str], list[str]] = {}
        self._shown = {run: self._summary(row) for run, row in self._rows.items()}
        self.rows: tuple[RunSummary, ...] = self._newest_first()
        """All runs; replaced as a whole."""
        self.dropped = 0
        """Events that could not be read."""

    def directory(self, run: str) -> RunDirectory:
        """Return the mirrored directory of a run."""
        return RunDirectory(self._folder / run)

    def begin(self) -> None:
        """A connection begins: runs that it does not list are gone, parts of messages are lost."""
        self._seen.clear()
        self._parts.clear()
        self._known.clear()

    def known(self, run: str, whole: bool) -> Followed:
        """Return what the host need not send again of a run."""
        known = self._state(run)
        return Followed(run=run, position=known.position, stamps=known.stamps, whole=whole)

    def take_rows(self, message: Rows) -> None:
        """Take changes of the list."""
        for row in message.rows:
            self._rows[row.run] = row
            self._shown[row.run] = self._summary(row)
            self._seen.add(row.run)
            if (self._folder / row.run).is_dir():
                self._write_state(row)
        gone = set(self._rows) - self._seen if message.complete else set()
        for run in gone.union(message.gone):
            self._rows.pop(run, None)
            self._shown.pop(run, None)
            self._known.pop(run, None)
            shutil.rmtree(self._folder / run, ignore_errors=True)
        self.rows = self._newest_first()

    def save(self) -> None:
        """Save the list for the next start; raises ``OSError``."""
        self._rows_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic.write_bytes(self._rows_file, _ROWS.dump_json(tuple(self._rows.values())))

    def is_open(self, run: str) -> bool:
        """Return whether a run has a directory here."""
        return (self._folder / run).is_dir()

    def open(self, run: str) -> None:
        """Make the directory of a run. Raises ``OSError``."""
        directory = self.directory(run)
        directory.requests.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (row := self._rows.get(run)) is not None:
            self._write_state(row)

    def take_file(self, message: File) -> bool:
        """Take a part of a file; returns whether screens can read it. Raises ``OSError``.

        One that they cannot read, or that is too large to be sent, is left out.
        """
        text = self._whole((message.run, message.name), message.data, message.more)
        if text is None:
            return True
        path = self._folder / message.run / message.name
        sent = bool(message.stamp) and not message.too_large
        readable = not sent or is_readable(message.name, text)
        if sent and readable:
            atomic.write_text(path, text)
        else:
            path.unlink(missing_ok=True)
        state = self._state(message.run)
        stamps = {**state.stamps, message.name: message.stamp}
        too_large = {**state.too_large, message.name: message.too_large}
        too_large = {name: size for name, size in too_large.items() if size}
        update = {"stamps": stamps, "too_large": too_large}
        self._keep(message.run, state.model_copy(update=update))
        return readable

    def take_events(self, message: Events) -> bool:
        """Append events, once all parts have come; returns whether none are missing before them.

        Those that are known already are left out. Raises ``OSError``.
        """
        state = self._state(message.run)
        text = self._whole((message.run, "events"), message.data, message.more)
        if text is None:
            return True
        if message.start != state.position and not message.begin:
            return message.start < state.position
        lines = "".join(self._valid(text)).encode()
        path = self.directory(message.run).events.path
        begin = 0 if message.begin else state.size
        path.touch(mode=0o600)
        with path.open("r+b") as file:
            file.truncate(begin)
            file.seek(begin)
            file.write(lines)
        update = {"position": message.position, "size": begin + len(lines)}
        self._keep(message.run, state.model_copy(update=update))
        return True

    def pending_requests(self, run: str) -> list[Path]:
        """Return the files of requests that screens have written for a run, in order."""
        try:
            found = os.listdir(self._folder / run / "control")  # noqa: PTH208 — four times a second
        except OSError:
            return []
        return [
            self._folder / run / "control" / name for name in sorted(found) if _is_request(name)
        ]

    def _valid(self, text: str) -> Iterator[str]:
        for line in text.splitlines():
            if (clean := checked_event(line)) is not None:
                yield clean + "\n"
            elif line.strip():
                self.dropped += 1

    def _whole(self, key: tuple[str, str], data: str, more: bool) -> str | None:
        parts = self._parts.setdefault(key, [])
        if sum(map(len, parts)) + len(data) <= _MOST_PENDING:
            parts.append(data)
        if more:
            return None
        return "".join(self._parts.pop(key))

    def _state(self, run: str) -> _Known:
        if run not in self._known:
            self._known[run] = _saved_state(self._folder / run)
        return self._known[run]

    def _keep(self, run: str, state: _Known) -> None:
        self._known[run] = state
        (self._folder / run / "mirror.json").write_text(state.model_dump_json())

    def _write_state(self, row: Row) -> None:
        """Write what :class:`engine.runs.status.Status` derives the state from."""
        folder = self._folder / row.run
        worker, heartbeat = folder / "worker.json", folder / "heartbeat"
        with contextlib.suppress(OSError):
            if row.state is State.QUEUED or row.noted is None:
                worker.unlink(missing_ok=True)
                return
            # No machine has this name: the process is never looked for among those of this one.
            record = {"pid": 0, "started": 0.0, "boot": "", "host": "/", "noted": row.noted}
            text = json.dumps(record)
            if not worker.exists() or worker.read_text() != text:
                worker.write_text(text)
            heartbeat.touch(mode=0o600)
            running = row.state is not State.LOST
            moment = time.time() + _FOREVER if running else 0.0
            os.utime(heartbeat, (moment, moment))

    def _newest_first(self) -> tuple[RunSummary, ...]:
        return tuple(sorted(self._shown.values(), key=lambda row: row.started, reverse=True))

    def _summary(self, row: Row) -> RunSummary:
        return _summary(row, self.directory(row.run))


def checked_event(line: str) -> str | None:
    """Return an event's line, written anew; ``None`` where a value has another type."""
    try:
        record = safe_json.loads(line)
        kind = record["event"]
        values = {name: value for name, value in record.items() if name != "event"}
        event = _EVENTS[kind].validate_python(values)
        if not 0 <= event.time <= _LATEST or not all(map(_is_small, values.values())):
            return None
        return json.dumps(record, allow_nan=False, separators=(",", ":"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_small(value: object) -> bool:
    """Return whether a value, if it is an integer, is one that a curve can show."""
    return not isinstance(value, int) or abs(value) < 1 << 62


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
        problem=row.problem,
        notes=Annotations(to_tags(row.tags), row.note, row.pinned),
    )


def _saved_rows(path: Path) -> dict[str, Row]:
    try:
        return {row.run: row for row in _ROWS.validate_json(path.read_bytes())}
    except (OSError, ValidationError):
        return {}


def _saved_state(folder: Path) -> _Known:
    """Return what is known of a run; nothing where its files do not fit together."""
    try:
        state = _Known.model_validate_json((folder / "mirror.json").read_bytes())
        size = (folder / "events.jsonl").stat().st_size if state.size else 0
    except (OSError, ValidationError):
        return _Known()
    if size < state.size:
        return _Known()
    stamps = {name: s for name, s in state.stamps.items() if not s or (folder / name).is_file()}
    return state.model_copy(update={"stamps": stamps})


def _is_request(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")


def request_of(path: Path) -> Mapping[str, Any]:
    """Return the content of a request's file; empty where it is damaged."""
    try:
        content = safe_json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
