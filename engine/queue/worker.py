"""The process that works the queue off: ``python -m engine.queue.worker``.

It ends when nothing waits any more, at SIGTERM or SIGINT, or when it is asked to stop. No end of it
touches the runs, and the one that comes after it finds everything in the files.
"""

from __future__ import annotations

import os
import sys
import threading
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.errors import RunError, UserError
from engine.files.paths import queue_folder
from engine.hardware.resources import gpu_names
from engine.launch.start import Handle, start
from engine.processes.signals import Termination
from engine.queue import entries as queue
from engine.queue.entries import Entry
from engine.runs.status import State

_POLL_SECONDS = 0.5
_RETRY_SECONDS = 5.0
"""Interval after a run could not be started, as while memory or room on the disk is short."""
_MOST_FAILURES = 5
"""Most attempts at starting a run that cannot be started."""
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
        self._failures: Counter[str] = Counter()
        self._error: RunError | None = None

    def run(self, over: Callable[[], bool]) -> None:
        """Until nothing waits or runs any more, or it is ``over``.

        Raises :class:`RunError` when none of those left can be started; they stay in the queue.
        """
        pause = threading.Event()
        while not over():
            with queue.changing():
                queue.clean()
                left = [entry for entry in queue.entries() if not self._done(entry)]
                filled = self._fill(left)
            # A child that has exited is only reaped when it is polled.
            self._started = [handle for handle in self._started if handle.process.poll() is None]
            if not left:
                return
            if not any(map(self._startable, left)):
                remedy = "It stays in the queue: `dltui queue start` tries again."
                raise RunError(str(self._error), remedy) from self._error
            pause.wait(_POLL_SECONDS if filled else _RETRY_SECONDS)

    def _done(self, entry: Entry) -> bool:
        """Whether the run needs the queue no more; then it leaves it."""
        state = entry.run.status.state()
        if state is State.RUNNING or (state in _WAITS and entry.starts < _MOST_STARTS):
            return False
        if entry.starts:
            self._tell(f"{entry.run.id} is {state}")
        entry.path.unlink(missing_ok=True)
        return True

    def _fill(self, entries: Sequence[Entry]) -> bool:
        """Start the next runs in the places that are free; return whether all could be started."""
        free = list(self._places)
        for entry in entries:
            if entry.run.status.state() is State.RUNNING and free:
                free.remove(entry.device if entry.device in free else free[-1])
        filled = True
        for entry in entries:
            if free and entry.run.status.state() in _WAITS and self._startable(entry):
                filled &= self._start(replace(entry, device=free.pop(0)))
        return filled

    def _startable(self, entry: Entry) -> bool:
        """Whether it has been started, or starting it may be tried again."""
        return self._failures[entry.run.id] < _MOST_FAILURES

    def _start(self, entry: Entry) -> bool:
        # Before it runs: a run that crashes the machine is not restarted forever.
        replace(entry, starts=entry.starts + 1).write()
        chosen = {"CUDA_VISIBLE_DEVICES": entry.device} if entry.device else {}
        try:
            self._started.append(start(entry.run, chosen))
        except RunError as error:
            entry.write()
            self._error = error
            self._failures[entry.run.id] += 1
            self._tell(str(error))
            return False
        self._failures[entry.run.id] = 0
        self._tell(f"{entry.run.id} has started" + f" on GPU {entry.device}" * bool(chosen))
        return True


def work(parallel: int, per_gpu: bool, tell: Tell) -> None:
    """Work the queue off in this process; raises :class:`RunError`."""
    places = _gpus() if per_gpu else [""] * parallel
    termination = Termination()
    try:
        with queue.held(), termination.handled(), termination.deferred():
            QueueWorker(places, tell).run(lambda: termination.asked() or queue.asked_to_stop())
    except BrokenPipeError:
        raise  # whoever reads what it prints has left
    except OSError as error:
        raise RunError(
            f"Cannot write to the queue {queue_folder()}: {error.strerror}.",
            "Its runs stay in it: `dltui queue start` resumes it.",
        ) from error


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
