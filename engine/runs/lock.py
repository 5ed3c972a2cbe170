"""The lock of a run, so that no second process trains it."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import RunError

_held: dict[Path, int] = {}
_holding = threading.Lock()


class RunLock:
    """The file ``lock`` of one run, held while the run is worked on."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self, patience: float = 0.0) -> Iterator[None]:
        """Hold the lock; raises :class:`RunError` when it is taken for ``patience`` more seconds.

        A lock of the kind ``lockf`` belongs to this process alone: a forked data loader does not
        keep it when the process is killed. Within one process it excludes nothing, hence
        :data:`_held`.
        """
        give_up = time.monotonic() + patience
        while not self._acquire():
            if time.monotonic() >= give_up:
                raise RunError(f"Another process already works on the run {self._folder.name}.")
            time.sleep(0.02)
        try:
            yield
        finally:
            with _holding:
                os.close(_held.pop(self._path()))

    def _path(self) -> Path:
        return (self._folder / "lock").absolute()

    def _acquire(self) -> bool:
        path = self._path()
        with _holding:
            # Closing another handle of the file would release a lock that this process holds.
            if path in _held:
                return False
            try:
                handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                name = self._folder.name
                raise RunError(f"Cannot write to the run {name}: {error.strerror}.") from error
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                return False
            _held[path] = handle
            return True
