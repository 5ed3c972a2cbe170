"""A node that trains along: ``python -m engine.launch.node_worker FOLDER NODE HOST PORT PARENT``.

The run belongs to the main node, which listens at HOST and PORT, and is in FOLDER, which all nodes
share. PARENT is the process that decides when this one leaves. Exit status: 0 finished or stopped,
1 failed, 2 wrong configuration or data, 143 ended with a checkpoint.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from pathlib import Path

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from engine.errors import TrainingFailed, UserError
from engine.launch.agent import Agent, Node
from engine.launch.place import Place
from engine.launch.rank_supervisor import run_agent
from engine.launch.rank_worker import end_with
from engine.launch.rendezvous import joined, rendezvous
from engine.processes.signals import Terminated, Termination
from engine.runs.directory import RunDirectory
from engine.runs.events import Failed, Finished, Interrupted, Stopped

_FAILED, _USAGE, _TERMINATED = 1, 2, 143
_END_SECONDS = 10.0
"""Time-out for the main node to write the final event."""
_POLL_SECONDS = 0.2


def main(arguments: list[str]) -> int:
    """Train with the main node until its run ends; returns the exit status."""
    os.umask(0o077)
    faulthandler.enable()
    folder, node, host, port, parent = arguments
    threading.Thread(target=end_with, args=(int(parent),), daemon=True).start()
    termination = Termination()
    with termination.deferred(), termination.handled():
        try:
            place = Place(int(node), host, int(port))
            found = joined(place, lambda: not termination.asked())
            if found is None:
                return _TERMINATED
            # Slurm sends it to every process of a job: the main node first saves a checkpoint, for
            # which it needs this one. The parent asks by SIGINT.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            store, run_id = found
            run = RunDirectory.open(Path(folder), run_id)
            _print(f"Machine {place.node + 1} trains along: run {run.id}")
            _train_along(run, place, store, termination)
        except Terminated:
            return _TERMINATED
        except UserError as error:
            _print(f"{error}")
            return _USAGE if error.usage else _FAILED
    return _status(run)


def _train_along(
    run: RunDirectory, place: Place, store: TCPStore, termination: Termination
) -> None:
    train = run.config.read().train

    def asked() -> bool:
        if termination.asked():
            agent.report(f"Machine {place.node + 1} was asked to stop.")
            raise Terminated
        return False

    handler = rendezvous(place, store, run.id, train)
    # The main node alone counts the attempts.
    agent = Agent(Node(run, train, place.network(), asked, _print, leads=False), handler)
    try:
        result = run_agent(agent)
    except TrainingFailed:
        if not _final(run):
            raise
    else:
        if result.is_failed():
            _print(agent.cause.message)


def _final(run: RunDirectory) -> Failed | Finished | Interrupted | Stopped | None:
    """Return the final event of the run, which the main node may be about to write."""
    give_up = time.monotonic() + _END_SECONDS
    while not run.status.state().ended and time.monotonic() < give_up:
        time.sleep(_POLL_SECONDS)
    last = run.events.last()
    return last if isinstance(last, Failed | Finished | Interrupted | Stopped) else None


def _status(run: RunDirectory) -> int:
    match _final(run):
        case Failed(usage=usage):
            return _USAGE if usage else _FAILED
        case Interrupted():
            return _TERMINATED
        case None:
            return _FAILED
    return 0


def _print(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 — the command line shows it


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # do not wait for a connection to a node that is gone
