"""The terminal belongs to the screens alone: what anything else prints goes to a log file.

Libraries, child processes and C code write to the descriptors 1 and 2. While :func:`owned` is
entered these lead to a file, and Textual draws on a private descriptor of the terminal.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from engine.files.paths import logs_folder

_LOG_LIMIT = 1_000_000
"""Bytes after which the log begins anew."""


@contextmanager
def owned() -> Iterator[None]:
    """Give the terminal to Textual, and everything back at the end, whatever happens."""
    _end_with_terminal()
    sys.stdout.flush()
    sys.stderr.flush()
    screen, out, err = os.dup(2), os.dup(1), os.dup(2)
    kept = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
    log = _open_log()
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    with os.fdopen(screen, "w", encoding="utf-8") as terminal:
        sys.__stdout__ = sys.__stderr__ = terminal  # type: ignore[misc]
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = kept  # type: ignore[misc]
            for saved, number in ((out, 1), (err, 2)):
                os.dup2(saved, number)
                os.close(saved)


def _end_with_terminal() -> None:
    """End the program when its terminal is closed, even where the system sends no signal.

    Without a terminal nothing could end it, and Textual would read its end over and over.
    """
    if os.isatty(0):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as it is not after nohup
        threading.Thread(target=_await_hangup, name="hangup", daemon=True).start()


def _await_hangup() -> None:
    terminal = select.poll()
    terminal.register(0, 0)  # a hang-up is reported without a request
    if any(event & select.POLLHUP for _, event in terminal.poll()):
        os.kill(os.getpid(), signal.SIGHUP)


def _open_log() -> int:
    """The log file, or nowhere at all where none can be written."""
    try:
        folder = logs_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / "output.log"
        again = os.O_TRUNC if path.exists() and path.stat().st_size > _LOG_LIMIT else os.O_APPEND
        return os.open(path, os.O_WRONLY | os.O_CREAT | again, 0o600)
    except OSError:
        return os.open(os.devnull, os.O_WRONLY)
