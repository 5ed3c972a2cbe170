"""Processes that continue when their parent exits, and locks that they hold."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from engine.processes.environment import worker_environment


def open_log(path: Path) -> BinaryIO:
    """A file for what a process prints, for appending. Raises ``OSError``."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def spawn(
    module: str,
    arguments: Sequence[str],
    log: Path | None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.Popen[bytes]:
    """Start ``python -m module``; raises ``OSError``.

    It leads a session of its own with its streams on files, so that neither a closed terminal nor
    the end of this process reaches it; it gets ``environment`` on top of this process's own.
    Without a ``log`` it prints where this process does.
    """
    with nullcontext() if log is None else open_log(log) as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=worker_environment() | dict(environment),
        )
