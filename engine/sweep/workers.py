"""The processes that search in a sweep, on one machine or several.

Each keeps a file of its own locked, so that the others know that it still runs.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import RunError
from engine.processes.lock import locked


class Workers:
    """The folder of these files; holds no state of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def joined(self) -> Iterator[str]:
        """Search here beside other processes, and yield a name for this one."""
        name = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
        with locked(self._folder / name):
            try:
                yield name
            finally:
                (self._folder / name).unlink(missing_ok=True)

    def any(self) -> bool:
        """Whether a process searches now. Not for one that does: it would lose its own lock."""
        with contextlib.suppress(OSError):
            return any(self.searches(path.name) for path in self._folder.iterdir())
        return False

    def searches(self, worker: str) -> bool:
        """Whether another process, of this machine or another, searches by this name."""
        path = self._folder / worker
        if not path.exists():
            return False
        try:
            with locked(path, "it is searching"):
                return False
        except RunError:
            return True
