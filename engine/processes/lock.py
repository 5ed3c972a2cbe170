"""Locks between processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import RunError


@contextmanager
def locked(path: Path, taken: str = "") -> Iterator[None]:
    """Hold the file ``path`` against other processes.

    Waits for another that holds it, unless ``taken`` is the message of a :class:`RunError` to
    raise, which is raised too where the file cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise RunError(f"Cannot write to {path.parent}: {error.strerror}.") from error
    try:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if taken else 0))
        except OSError as error:
            raise RunError(taken) from error
        yield
    finally:
        os.close(handle)
