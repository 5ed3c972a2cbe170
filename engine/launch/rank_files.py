"""The files of a run's training processes, and what they say about one that failed.

``ranks/`` in the run's directory has the final event of each process. It has the output and the
events of each except the main one, whose are the run's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.errors import TrainingError, TrainingFailed
from engine.files import atomic
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, Failed, decode, encode

MENDABLE, DEFECT, PEER_LOST = 1, 2, 3
"""Exit status of a failed process: an error that the user can correct, a defect of the program, the
loss of another process."""
_TAIL = 2000


@dataclass(frozen=True, slots=True)
class Cause:
    """The reason why an attempt ended on all nodes."""

    message: str
    mendable: bool = False
    """Whether the user has to correct something, so that another attempt would fail, too."""
    usage: bool = False
    """Whether the configuration or the data are wrong."""
    over: bool = False
    """Whether the main process has finished."""
    stalled: bool = False
    """Whether no process made progress."""

    def error(self) -> TrainingError:
        """Return the error to raise."""
        return (TrainingError if self.usage else TrainingFailed)(self.message)

    def text(self) -> str:
        """Return the cause as JSON."""
        return json.dumps(asdict(self))


def report_file(run: RunDirectory, rank: int) -> Path:
    """Return the file of a process's events: for rank 0 the run's own."""
    return run.events.path if rank == 0 else run.ranks / f"{rank}.jsonl"


def log_file(run: RunDirectory, rank: int) -> Path:
    """Return the file of a process's output: for rank 0 the run's own."""
    return run.log if rank == 0 else run.ranks / f"{rank}.txt"


def write_final_event(run: RunDirectory, rank: int, event: Event) -> None:
    """Write the final event of a process. Raises ``OSError``."""
    atomic.write_text(_final_event_file(run, rank), encode(event))


def final_event(run: RunDirectory, rank: int) -> Event | None:
    """Return the final event of a process; ``None`` if it wrote none."""
    try:
        return decode(_final_event_file(run, rank).read_bytes())
    except OSError:
        return None


def forget(run: RunDirectory, rank: int) -> None:
    """Remove the final event of an earlier process with this rank. Raises ``OSError``."""
    _final_event_file(run, rank).unlink(missing_ok=True)


def cause_of(run: RunDirectory, rank: int, size: int, status: int) -> Cause:
    """Return the cause for a process of ``size`` that exited with ``status``, which is not 0."""
    last = final_event(run, rank)
    if isinstance(last, Failed) and status == MENDABLE:
        return Cause(last.message, mendable=True, usage=last.usage)
    who = f"Process {rank + 1} of {size}"
    if isinstance(last, Failed):
        return Cause(f"{who}: {last.message}")
    how = f"was ended by {_signal(-status)}" if status < 0 else f"ended with status {status}"
    line = _last_line(log_file(run, rank)) if status > 0 else ""
    return Cause(f"{who} {how}" + (f": {line}" if line else "."))


def _final_event_file(run: RunDirectory, rank: int) -> Path:
    return run.ranks / f"{rank}.last.json"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_line(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        lines = file.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""
    return ""
