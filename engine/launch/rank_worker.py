"""One training process of several: ``python -m engine.launch.rank_worker RUN_DIRECTORY``.

torch's elastic agent starts it, with its rank and the address of the main process in variables.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError
from engine.launch.attempt import defect
from engine.launch.rank_files import (
    DEFECT,
    MENDABLE,
    PEER_LOST,
    log_file,
    report_file,
    write_final_event,
)
from engine.processes.collector import collector_paused
from engine.processes.signals import Terminated, Termination
from engine.processes.spawn import open_log
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, EventLog, Failed, Interrupted
from engine.runs.session import RunSession

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class _Rank:
    """This process among those that train the run."""

    run: RunDirectory
    number: int
    size: int
    local: int
    """Its number among the processes of its node."""

    @classmethod
    def own(cls, run: RunDirectory) -> _Rank:
        """Return this process, from the variables that every launcher of torch sets."""
        return cls(run, *(int(os.environ[v]) for v in ("RANK", "WORLD_SIZE", "LOCAL_RANK")))


def main(arguments: list[str]) -> int:
    """Train with the other processes; returns the exit status."""
    os.umask(0o077)
    faulthandler.enable()
    rank = _Rank.own(RunDirectory(Path(arguments[0])))
    _print_into(log_file(rank.run, rank.number))
    faulthandler.register(signal.SIGUSR1)
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    termination = Termination()
    if rank.number:
        # Rank 0 handles the signal, and the others follow it.
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signal_number, signal.SIG_IGN)
    with EventLog(report_file(rank.run, rank.number)) as events:
        try:
            with nullcontext() if rank.number else termination.handled():
                status, last = _train(rank, events, termination)
        except Terminated:
            status, last = 0, Interrupted(step=0, seconds=0.0)
    if last is not None:
        write_final_event(rank.run, rank.number, last)
    return status


def _train(rank: _Rank, events: EventLog, termination: Termination) -> tuple[int, Event | None]:
    """Return exit status and final event; imports torch only here, where a failure is reported."""
    with collector_paused():
        from torch.distributed.elastic.multiprocessing.errors import get_error_handler

        from engine.training.checkpoints.peers import lost_a_peer
        from engine.training.checkpoints.store import store_of_ranks
        from engine.training.run import train_beside

    try:
        session = RunSession(rank.run, rank.run.config.read(), events, termination)
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = store_of_ranks(rank.number, host, port)
        return 0, train_beside(session, rank.number, rank.size, rank.local, store)
    except UserError as error:
        get_error_handler().record_exception(error)
        return MENDABLE, Failed(message=str(error), usage=error.usage)
    except Exception as error:  # noqa: BLE001 — reported in the last event and the log
        traceback.print_exc()
        if lost_a_peer(error):
            return PEER_LOST, None
        get_error_handler().record_exception(error)  # with its time: the earliest error counts
        return DEFECT, Failed(message=defect(error), report=str(rank.run.log))


def _print_into(log: Path) -> None:
    """Append what this process prints to its log."""
    with open_log(log) as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())


def end_with(parent: int) -> None:
    """Exit when the parent has exited, as no process would supervise this one."""
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    os._exit(PEER_LOST)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # do not wait for a connection to a process that is gone
