"""Heartbeats: files that processes touch, for those who cannot see the processes themselves."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.processes.identity import ProcessIdentity

_INTERVAL_SECONDS = 2.0
_STALE_SECONDS = 30.0


class Heartbeat:
    """The file that one process touches while it is running."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        self._path = path

    def beat(self) -> None:
        """Touch the file. Raises ``OSError``."""
        self._path.touch(mode=0o600)

    def shows_running(self, process: ProcessIdentity) -> bool:
        """Return whether a process is running, by the file where it cannot be seen from here."""
        return process.alive() if process.here else self._is_fresh()

    def _is_fresh(self) -> bool:
        try:
            return time.time() - self._path.stat().st_mtime < _STALE_SECONDS
        except OSError:
            return False


@contextmanager
def beating(beat: Callable[[], None]) -> Iterator[None]:
    """Call ``beat`` every two seconds, in a thread; its ``OSError`` is passed over.

    A disk that is full or vanished ends what the process does by itself.
    """
    ended = threading.Event()

    def repeat() -> None:
        while True:
            with contextlib.suppress(OSError):
                beat()
            if ended.wait(_INTERVAL_SECONDS):
                return

    threading.Thread(target=repeat, daemon=True).start()
    try:
        yield
    finally:
        ended.set()
