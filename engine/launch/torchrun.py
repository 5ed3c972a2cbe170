"""A training process that torchrun, or another launcher of torch, has started.

``python -m engine.launch.torchrun FOLDER RESUME EXPERIMENT``: rank 0 makes a run in FOLDER, or
takes the newest like EXPERIMENT (as TOML) if RESUME is ``auto``; the others find its name in the
launcher's store. Restarts and membership are the launcher's.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import tomllib
import traceback
from pathlib import Path

from torch.distributed import Store, rendezvous  # type: ignore[attr-defined]

from engine.config.run_config import RunConfig
from engine.errors import TrainingFailed, UserError
from engine.launch.attempt import attempt, correctable, failure
from engine.launch.rank_files import (
    DEFECT,
    MENDABLE,
    PEER_LOST,
    cause_of,
    final_event,
    forget,
    report_file,
    write_final_event,
)
from engine.launch.stall import watched
from engine.processes.signals import Terminated, Termination
from engine.runs import resume
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, EventLog, Failed, Interrupted
from engine.runs.session import RunSession
from engine.training.checkpoints.peers import lost_a_peer
from engine.training.run import train_beside

_RUN = "dltui/run"
_TERMINATED = 143


def main(arguments: list[str]) -> int:
    """Train with the other processes; returns the exit status."""
    os.umask(0o077)
    faulthandler.enable()
    folder, how, experiment = arguments
    store, rank, size = next(rendezvous("env://"))
    try:
        if rank:
            return _follow(Path(folder), store, rank, size)
        config = RunConfig.parse(tomllib.loads(experiment))
        config = config.override([f"train.devices={os.environ['LOCAL_WORLD_SIZE']}"])
        # Started again by the launcher, it resumes what it began.
        again = how == "auto" or os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
        found = resume.newest_like(Path(folder), config) if again else None
        run = found or RunDirectory.create(Path(folder), config)
        for other in range(1, size):
            forget(run, other)
        store.set(_RUN, run.id)
        print(f"run {run.id}", file=sys.stderr)  # noqa: T201 — the launcher shows it
        last = attempt(run, lambda session: _lead(session, store, size))
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return MENDABLE
    return _TERMINATED if isinstance(last, Interrupted) else 0


def _lead(session: RunSession, store: Store, size: int) -> Event:
    try:
        with watched(session):
            last = train_beside(session, 0, size, _local(), store)
    except Terminated:
        # The launcher ends all processes when one fails: that is no request of the user.
        _raise_failure(session.run, size)
        raise
    except Exception as error:
        if lost_a_peer(error):
            _raise_failure(session.run, size)
            raise TrainingFailed("Another process failed: the launcher shows its error.") from error
        raise
    if isinstance(last, Interrupted):
        _raise_failure(session.run, size)
    return last


def _raise_failure(run: RunDirectory, size: int) -> None:
    """Raise the error of the process that failed first, if one here has recorded it."""
    ends = {rank: final_event(run, rank) for rank in range(1, size)}
    failed = {rank: end for rank, end in ends.items() if isinstance(end, Failed)}
    if failed:
        rank = min(failed, key=lambda rank: failed[rank].time)
        status = DEFECT if failed[rank].report else MENDABLE
        raise cause_of(run, rank, size, status).error()


def _follow(folder: Path, store: Store, rank: int, size: int) -> int:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # rank 0 handles the signal
    run = RunDirectory.open(folder, store.get(_RUN).decode())
    run.ranks.mkdir(mode=0o700, exist_ok=True)
    with EventLog(report_file(run, rank)) as events:
        session = RunSession(run, run.config.read(), events, Termination())
        try:
            train_beside(session, rank, size, _local(), store)
        except Exception as error:
            known = correctable(run, error)
            if known is None and lost_a_peer(error):
                return PEER_LOST
            write_final_event(run, rank, failure(run, known or error))
            if known is None or known is error:
                raise
            raise known from error
    return 0


def _local() -> int:
    return int(os.environ["LOCAL_RANK"])


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except Exception:  # noqa: BLE001 — the launcher shows the traceback
        traceback.print_exc()
        status = DEFECT
    sys.stderr.flush()
    os._exit(status)  # do not wait for a connection to a process that is gone
