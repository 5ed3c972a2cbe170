"""The process that works the queue off: ``python -m engine.queue.worker``.

It ends when nothing waits any more, or at SIGTERM or SIGINT; neither that nor its death touches
the runs, and the one that comes after it finds everything in the files.
"""

from __future__ import annotations

import os
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.errors import RunError, UserError
from engine.hardware.resources import gpu_names
from engine.launch.start import Handle, start
from engine.processes.signals import Termination
from engine.queue import entries as queue
from engine.queue.entries import Entry
from engine.runs.status import State

_POLL_SECONDS = 0.5
_MOST_STARTS = 5
"""Most starts of a run whose process exits without a final event, or is interrupted."""
_WAITS = (State.QUEUED, State.LOST, State.INTERRUPTED)

Tell = Callable[[str], None]


class QueueWorker:
    """Starts the runs of the queue, as many at once as there are places."""

    def __init__(self, places: Sequence[str], tell: Tell) -> None:
        """Assign runs to ``places``: names of GPUs, or empty for a run that sees all devices."""
        self._places = places
        self._tell = tell
        self._started: list[Handle] = []

    def run(self, over: Callable[[], bool]) -> None:
        """Until nothing waits or runs any more, or it is ``over``."""
        pause = threading.Event()
        while not over():
            queue.clean()
            with queue.changing():
                left = [entry for entry in queue.entries() if not self._done(entry)]
                self._fill(left)
            # A child that has exited is only reaped when it is polled.
            self._started = [handle for handle in self._started if handle.process.poll() is None]
            if not left:
                return
            pause.wait(_POLL_SECONDS)

    def _done(self, entry: Entry) -> bool:
        """Whether the run needs the queue no more; then it leaves it."""
        state = entry.run.status.state()
        if state is State.RUNNING or (state in _WAITS and entry.starts < _MOST_STARTS):
            return False
        if entry.starts:
            self._tell(f"{entry.run.id} is {state}")
        entry.path.unlink(missing_ok=True)
        return True

    def _fill(self, entries: Sequence[Entry]) -> None:
        """Start the next runs in the places that are free."""
        free = list(self._places)
        for entry in entries:
            if entry.run.status.state() is State.RUNNING and free:
                free.remove(entry.device if entry.device in free else free[-1])
        for entry in entries:
            if free and entry.run.status.state() in _WAITS:
                self._start(replace(entry, starts=entry.starts + 1, device=free.pop(0)))

    def _start(self, entry: Entry) -> None:
        entry.write()  # before it runs: a run that crashes the machine is not restarted forever
        chosen = {"CUDA_VISIBLE_DEVICES": entry.device} if entry.device else {}
        try:
            self._started.append(start(entry.run, chosen))
        except RunError as error:
            self._tell(str(error))
        else:
            self._tell(f"{entry.run.id} has started" + f" on GPU {entry.device}" * bool(chosen))


def work(parallel: int, per_gpu: bool, tell: Tell) -> None:
    """Work the queue off in this process; raises :class:`RunError`."""
    places = _gpus() if per_gpu else [""] * parallel
    termination = Termination()
    with queue.held(), termination.handled(), termination.deferred():
        QueueWorker(places, tell).run(termination.asked)


def _gpus() -> list[str]:
    found = gpu_names()
    if not found:
        raise RunError("There is no GPU here.", "Choose how many runs at once with --parallel.")
    return found


def arguments(parser: ArgumentParser) -> None:
    """Declare how many runs go at once."""
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--parallel", type=int, default=1, metavar="N", help="runs at once (1)")
    how.add_argument("--per-gpu", action="store_true", help="one run at once on each GPU")


def main(given: list[str]) -> int:
    """Work the queue off; exit status 0, or 1 where that cannot be."""
    os.umask(0o077)
    parser = ArgumentParser()
    arguments(parser)
    options = parser.parse_args(given)
    try:
        work(options.parallel, options.per_gpu, lambda text: print(text, flush=True))  # noqa: T201
    except UserError as error:
        print(error, file=sys.stderr)  # noqa: T201 — the log is all there is
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
