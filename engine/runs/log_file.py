"""The output of the libraries during a run, kept to a size."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from engine.runs.directory import RunDirectory

LOG_BYTES = 8 << 20
"""Largest ``log.txt``; a larger one is cut to its last quarter of this."""
_CUT = b"[what was printed before is left out]\n"


def trim_logs(run: RunDirectory) -> None:
    """Cut the logs of a run's processes that are too large. Raises ``OSError``."""
    for path in (run.log, *run.ranks.glob("*.txt")):
        with contextlib.suppress(FileNotFoundError):
            trim_log(path)


def trim_log(path: Path) -> None:
    """Cut a log that is too large to its end. Raises ``OSError``.

    It is shortened in place, since processes that append hold it open.
    """
    with path.open("r+b") as log:
        size = log.seek(0, os.SEEK_END)
        if size <= LOG_BYTES:
            return
        log.seek(size - LOG_BYTES // 4)
        end = log.read()
        log.seek(0)
        log.truncate()
        log.write(_CUT + end)
