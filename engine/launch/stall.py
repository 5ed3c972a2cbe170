"""The watch on a training in this process: one that hangs fails, and its stacks are in the log."""

from __future__ import annotations

import faulthandler
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from engine.processes.spawn import open_log
from engine.runs.events import Failed, Stalled
from engine.runs.progress_marks import StallWatch
from engine.runs.session import RunSession

_POLL_SECONDS = 1.0


@contextmanager
def watched(session: RunSession) -> Iterator[None]:
    """End this process, with its stacks in the log, when the training in the block hangs."""
    ended = threading.Event()
    threading.Thread(target=_watch, args=(session, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _watch(session: RunSession, ended: threading.Event) -> None:
    watch = StallWatch(session.run.path, "marks")
    while not ended.wait(_POLL_SECONDS):
        if watch.stalled() is not None:
            with open_log(session.run.log) as log:
                faulthandler.dump_traceback(log)
            minutes = watch.limit / 60
            text = (
                f"No update for {minutes:.2g} minutes, and nothing was saved or exported; log.txt "
                "shows where it hangs. Resume it."
            )
            session.events.write(Stalled(message=text))
            session.events.write(Failed(message=text, report=str(session.run.log)))
            session.close_reports()
            os._exit(1)
