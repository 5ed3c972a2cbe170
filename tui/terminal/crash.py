"""A mistake of the program itself: the whole story goes into a file, one line to the person."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from datetime import datetime
from pathlib import Path

from engine.files.paths import logs_folder


def describe(error: BaseException) -> str:
    """Write a report about ``error``; returns one line with the error and the report's path."""
    where = write_report(error) or "nowhere (the folder for logs cannot be written)"
    return f"Internal error: {type(error).__name__}: {str(error)[:300]}. The report is at {where}"


def write_report(error: BaseException) -> Path | None:
    """Keep where and how ``error`` came about in a file; ``None`` where it cannot be written."""
    from importlib.metadata import version  # 10 ms, which a start without a defect does without

    folder = logs_folder()
    path = folder / f"crash-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    lines = [
        f"dltui {version('dltui')}, Python {platform.python_version()}, {platform.platform()}\n",
        f"called as {sys.argv}\n\n",
        *traceback.format_exception(error),
    ]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(lines)
    except OSError:
        return None
    return path
