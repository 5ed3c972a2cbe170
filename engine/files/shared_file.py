"""A file that several processes use at once, and that goes with the last of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

_SUFFIX = ".shared"


class SharedFile:
    """An open file, locked by each process that uses it; one that crashes loses its lock too."""

    def __init__(self, folder: Path, name: str) -> None:
        """Open or create the file of that name; raises ``OSError``."""
        self._path = folder / f"{name}{_SUFFIX}"
        while True:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._handle, fcntl.LOCK_SH)
            if self._named():
                return
            os.close(self._handle)  # another process deleted it meanwhile

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._handle

    def close(self) -> None:
        """Close the file; the last process to do so deletes it."""
        fcntl.flock(self._handle, fcntl.LOCK_UN)
        _delete_unused(self._path)
        os.close(self._handle)

    def _named(self) -> bool:
        """Return whether the file that is open is the one of that name."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._handle))
        except FileNotFoundError:
            return False


def delete_unused(folder: Path) -> None:
    """Delete the files that no process uses, as crashed ones leave them."""
    for path in folder.glob(f"*{_SUFFIX}"):
        _delete_unused(path)


def _delete_unused(path: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(handle)
