"""Processes that go on when the one who started them is gone, and locks that they hold."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from engine.environment import worker_environment
from engine.errors import RunError


def open_log(path: Path) -> BinaryIO:
    """A file for what a process prints, for appending. Raises ``OSError``."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def spawn(
    module: str,
    arguments: Sequence[str],
    log: Path,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.Popen[bytes]:
    """Start ``python -m module``; raises ``OSError``.

    It leads a session of its own with its streams on files, so that neither a closed terminal nor
    the end of this process reaches it; it gets ``environment`` on top of this process's own.
    """
    with open_log(log) as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=worker_environment() | dict(environment),
        )


@contextmanager
def locked(path: Path, taken: str = "") -> Iterator[None]:
    """Hold the file ``path`` against other processes.

    Waits for another that has it, unless ``taken`` says what to tell then by :class:`RunError`,
    which is raised too where the file cannot be made.
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
