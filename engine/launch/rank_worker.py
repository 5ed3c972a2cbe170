"""One training process of several: ``python -m engine.launch.rank_worker RUN_DIRECTORY PARENT``.

torch's elastic agent, the process PARENT, starts it, with its rank and the address of the main
process in variables.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path

from engine.launch.interruption import interrupted
from engine.launch.rank import Rank
from engine.launch.rank_files import PEER_LOST, log_file, report_file, write_final_event
from engine.processes.collector import collect_seldom, collector_paused
from engine.processes.signals import Terminated, Termination
from engine.processes.spawn import open_log
from engine.runs.directory import RunDirectory
from engine.runs.events import EventLog

_POLL_SECONDS = 1.0


def main(arguments: list[str]) -> int:
    """Train with the other processes; returns the exit status."""
    os.umask(0o077)
    faulthandler.enable()
    rank = Rank.own(RunDirectory(Path(arguments[0])))
    _print_into(log_file(rank.run, rank.number))
    faulthandler.register(signal.SIGUSR1)
    threading.Thread(target=end_with, args=(int(arguments[1]),), daemon=True).start()
    termination = Termination()
    if rank.number:
        # Rank 0 handles the signal, and the others follow it.
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signal_number, signal.SIG_IGN)
    # Room of its own on the disk: the main process and its supervisor write to one file.
    reserve = rank.run.ranks / f".{rank.number}.reserve"
    with EventLog(report_file(rank.run, rank.number), reserve) as events:
        try:
            with nullcontext() if rank.number else termination.handled():
                with collector_paused():
                    from engine.launch.rank_training import train_rank  # torch, for seconds
                collect_seldom()
                status, last = train_rank(rank, events, termination)
        except Terminated:
            status, last = 0, interrupted(rank.run)
    if last is not None:
        # After the log of events has given up the room that it had reserved on the disk.
        write_final_event(rank.run, rank.number, last)
    return status


def _print_into(log: Path) -> None:
    """Append what this process prints to its log."""
    with open_log(log) as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())


def end_with(parent: int) -> None:
    """Exit when the parent has exited, as no process would supervise this one.

    The parent gives its own number: it may have exited before this process asks for it.
    """
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(PEER_LOST)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    with suppress(OSError):  # the disk of its log may be full
        sys.stdout.flush()
    os._exit(status)  # do not wait for a connection to a process that is gone
