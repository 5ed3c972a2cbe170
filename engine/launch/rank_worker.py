"""One of the processes that train a network together.

``python -m engine.launch.rank_worker RUN_DIRECTORY RANK SIZE MEETING``, as
:mod:`engine.launch.rank_supervisor` starts it: the last is a file by which they meet, or
``host:port`` where the first one listens.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from engine.errors import UserError
from engine.launch.attempt import defect
from engine.launch.rank_supervisor import DEFECT, MENDABLE, PEER_LOST, report_file, say_last
from engine.processes.signals import Terminated, Termination
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, EventLog, Failed, Interrupted

_POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 10.0
"""Whoever lost another leaves it the time to be the first that is seen to have ended."""


def main(arguments: list[str]) -> int:
    """Train beside the others; returns the exit status."""
    os.umask(0o077)
    faulthandler.enable()
    run, rank, size = RunDirectory(Path(arguments[0])), int(arguments[1]), int(arguments[2])
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    termination = Termination()
    if rank:
        # The first one hears of it, and the others from that one.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
    with EventLog(report_file(run, rank)) as events:
        try:
            status, last = _train(run, rank, size, arguments[3], events, termination)
        except Terminated:
            status, last = 0, Interrupted(step=0, seconds=0.0)
    if last is not None:
        say_last(run, rank, last)
    return status


def _train(
    run: RunDirectory,
    rank: int,
    size: int,
    meeting: str,
    events: EventLog,
    termination: Termination,
) -> tuple[int, Event | None]:
    """Exit status and last event; loads torch only here, where its failure is told."""
    if rank == 0:
        with termination.handled():
            return _trained(run, rank, size, meeting, events, termination)
    return _trained(run, rank, size, meeting, events, termination)


def _trained(
    run: RunDirectory,
    rank: int,
    size: int,
    meeting: str,
    events: EventLog,
    termination: Termination,
) -> tuple[int, Event | None]:
    from engine.training.process_group import lost_a_peer
    from engine.training.run import train_beside

    try:
        return 0, train_beside(run, events, termination, rank, size, meeting)
    except UserError as error:
        return MENDABLE, Failed(message=str(error))
    except Exception as error:  # noqa: BLE001 — told in the last event and the log
        traceback.print_exc()
        if lost_a_peer(error):
            time.sleep(_PATIENCE_SECONDS)
            return PEER_LOST, None
        return DEFECT, Failed(message=defect(error), report=str(run.log))


def _end_with(parent: int) -> None:
    """Nobody would watch over this process without the one that started it."""
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(PEER_LOST)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # a connection to one that is gone is not waited for
