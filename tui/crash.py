"""A mistake of the program itself: the whole story goes into a file, one line to the person."""

from __future__ import annotations

import os
import platform
import sys
import traceback
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from engine.locations import logs_folder


def describe(error: BaseException) -> str:
    """Write a report about ``error`` and return one line that says what happened and where it is."""
    summary = f"The program made a mistake: {type(error).__name__}: {str(error)[:300]}."
    try:
        return f"{summary} The whole story is in {write_report(error)}"
    except OSError as problem:
        return f"{summary} (No report was written: {problem.strerror}.)"


def write_report(error: BaseException) -> Path:
    """Write where and how ``error`` came about into the folder of logs. Raises ``OSError``."""
    folder = logs_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    path = folder / f"crash-{stamp}-{os.getpid()}.txt"
    lines = [
        f"dltui {version('dltui')}, Python {platform.python_version()}, {platform.platform()}",
        f"called as {sys.argv}",
        "",
        *traceback.format_exception(error),
    ]
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("\n".join(lines))
    return path
