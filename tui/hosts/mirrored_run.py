"""The mirrored directory of one run of a host.

mirror.json  how far the run's events are known, and the stamps of its files
worker.json, heartbeat   the state that the host has reported
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.files import atomic
from engine.remote.messages import Events, File, FileName, Followed, Row
from engine.runs.directory import RunDirectory
from engine.runs.status import State
from tui.hosts.checked_events import checked_events
from tui.hosts.checked_files import is_readable

_FOREVER = 10 * 365 * 86_400.0
"""A heartbeat that far ahead stands for a process that the host has seen running."""
_MOST_PENDING = 64 << 20
"""Characters of parts that are collected for one file; what follows is left out."""


class _Known(BaseModel):
    """The part of a run that is mirrored."""

    model_config = ConfigDict(frozen=True)

    position: int = 0
    """Bytes of the host's events."""
    size: int = 0
    """Bytes of the mirrored ones."""
    stamps: dict[FileName, str] = {}
    too_large: dict[FileName, int] = {}
    """Bytes of the files that the host does not send, see :mod:`engine.runs.origin`."""


class MirroredRun:
    """The content received of a run over one connection, after that on disk from earlier ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = _saved(folder)
        self._parts: dict[str, list[str]] = {}
        self.dropped = 0
        """Events that could not be read."""

    def open(self, row: Row | None) -> None:
        """Make the directory, with the state in ``row``. Raises ``OSError``."""
        requests = RunDirectory(self._folder).requests.path
        requests.mkdir(mode=0o700, parents=True, exist_ok=True)
        if row is not None:
            self.write_state(row)

    def known(self, whole: bool) -> Followed:
        """Return what the host need not send again."""
        known = self._known
        run = self._folder.name
        return Followed(run=run, position=known.position, stamps=known.stamps, whole=whole)

    def take_file(self, message: File) -> bool:
        """Take a part of a file; returns whether screens can read it. Raises ``OSError``.

        One that they cannot read, or that is too large to be sent, is left out.
        """
        text = self._whole(message.name, message.data, message.more)
        if text is None:
            return True
        path = self._folder / message.name
        sent = bool(message.stamp) and not message.too_large
        readable = not sent or is_readable(message.name, text)
        if sent and readable:
            atomic.write_text(path, text)
        else:
            path.unlink(missing_ok=True)
        sizes = {**self._known.too_large, message.name: message.too_large}
        self._keep(
            stamps={**self._known.stamps, message.name: message.stamp},
            too_large={name: size for name, size in sizes.items() if size},
        )
        return readable

    def take_events(self, message: Events) -> bool:
        """Append events, once all parts have come; returns whether none are missing before them.

        Those that are known already are left out. Raises ``OSError``.
        """
        known = self._known
        text = self._whole("events", message.data, message.more)
        if text is None:
            return True
        if message.start != known.position and not message.begin:
            return message.start < known.position
        lines, dropped = checked_events(text)
        self.dropped += dropped
        begin = 0 if message.begin else known.size
        path = RunDirectory(self._folder).events.path
        path.touch(mode=0o600)
        with path.open("r+b") as file:
            file.truncate(begin)
            file.seek(begin)
            file.write(lines.encode())
        self._keep(position=message.position, size=begin + len(lines.encode()))
        return True

    def pending_requests(self) -> list[Path]:
        """Return the files of requests that screens have written, in order."""
        folder = self._folder / "control"
        try:
            found = os.listdir(folder)  # noqa: PTH208 — four times a second
        except OSError:
            return []
        return [folder / name for name in sorted(found) if _is_request(name)]

    def write_state(self, row: Row) -> None:
        """Write what :class:`engine.runs.status.Status` derives the state from."""
        worker, heartbeat = self._folder / "worker.json", self._folder / "heartbeat"
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

    def _whole(self, name: str, data: str, more: bool) -> str | None:
        """Return the text of a file when its last part has come."""
        parts = self._parts.setdefault(name, [])
        parts.append(data[: _MOST_PENDING - sum(map(len, parts))])
        return None if more else "".join(self._parts.pop(name))

    def _keep(self, **update: object) -> None:
        self._known = self._known.model_copy(update=update)
        (self._folder / "mirror.json").write_text(self._known.model_dump_json())


def _saved(folder: Path) -> _Known:
    """Return what is known of a run; nothing where its files do not fit together."""
    try:
        known = _Known.model_validate_json((folder / "mirror.json").read_bytes())
        size = (folder / "events.jsonl").stat().st_size if known.size else 0
    except (OSError, ValidationError):
        return _Known()
    if size < known.size:
        return _Known()
    stamps = {name: s for name, s in known.stamps.items() if not s or (folder / name).is_file()}
    return known.model_copy(update={"stamps": stamps})


def _is_request(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")
