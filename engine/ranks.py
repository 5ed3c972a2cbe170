"""A run whose network several processes train: this one watches over them.

``ranks/`` in the run's directory has what each of them prints and reports beside the run itself,
and its last word. One that dies ends all; they start again from the newest checkpoint, but not
where a person has to mend something first.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine import atomic
from engine.detached import spawn
from engine.errors import RunError, TrainingError
from engine.events import Event, EventLog, Failed, Log, decode, encode
from engine.run_directory import RunDirectory
from engine.termination import Terminated, Termination

MENDABLE, DEFECT, PEER_LOST = 1, 2, 3
"""Exit status of a process that failed: for a reason a person can mend, by a mistake of the
program, because another one was gone."""
_POLL_SECONDS = 0.1
_LAST_WORDS_SECONDS = 5.0
"""Time for the one that died to be found, after another has noticed."""
_TAIL = 2000


class _Died(Exception):
    """A process of the group ended, though the training had not."""


def train_in_ranks(run: RunDirectory, events: EventLog, termination: Termination) -> Event:
    """Train as :func:`engine.training.run.train_in` does, in as many processes as are asked for.

    Raises :class:`TrainingError` with the words of the process that failed.
    """
    train = run.config().train
    for restarts in range(train.max_restarts + 1):
        try:
            return _together(run, train.processes, termination)
        except _Died as death:
            if termination.asked():
                raise Terminated from death
            if restarts == train.max_restarts:
                raise TrainingError(f"{death}") from death
            text = f"{death} Going on from the last checkpoint ({restarts + 1} of "
            events.write(Log(level="warning", message=f"{text}{train.max_restarts} times)."))
    raise AssertionError


def report_file(run: RunDirectory, rank: int) -> Path:
    """Where a process's events go: the first one's are those of the run."""
    return run.events if rank == 0 else run.ranks / f"{rank}.jsonl"


def say_last(run: RunDirectory, rank: int, event: Event) -> None:
    """Leave the event with which a process ends. Raises ``OSError``."""
    atomic.write_text(_last_file(run, rank), encode(event))


def _last_file(run: RunDirectory, rank: int) -> Path:
    return run.ranks / f"{rank}.last.json"


def _log_file(run: RunDirectory, rank: int) -> Path:
    return run.log if rank == 0 else run.ranks / f"{rank}.txt"


def _together(run: RunDirectory, size: int, termination: Termination) -> Event:
    with termination.deferred(), _members(run, size) as members:
        told = False
        while members[0].poll() != 0:
            if termination.asked() and not told:
                members[0].send_signal(signal.SIGTERM)
                told = True
            if any(member.poll() for member in members):
                raise _cause(run, members)
            time.sleep(_POLL_SECONDS)
    last = _last_of(run, 0)
    if last is None:
        raise _Died(f"Process 1 of {size} ended without a word.")
    return last


@contextmanager
def _members(run: RunDirectory, size: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    members: list[subprocess.Popen[bytes]] = []
    try:
        run.ranks.mkdir(mode=0o700, exist_ok=True)
        for left in (*run.ranks.glob("*.last.json"), *run.ranks.glob("meeting*")):
            left.unlink()
        meeting = run.ranks / f"meeting-{time.time_ns()}"
        for rank in range(size):
            words = [str(run.path.absolute()), str(rank), str(size), str(meeting.absolute())]
            members.append(spawn("engine.rank", words, _log_file(run, rank), _loopback()))
        yield members
    except OSError as error:
        raise RunError(f"Cannot start the processes of {run.id}: {error.strerror}.") from error
    finally:
        for member in members:
            member.kill()
        for member in members:
            member.wait()


def _loopback() -> dict[str, str]:
    """They talk within the machine, where no other machine hears."""
    name = "lo" if sys.platform == "linux" else "lo0"
    return {"GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", name)}


def _cause(run: RunDirectory, members: Sequence[subprocess.Popen[bytes]]) -> Exception:
    """The error of the process that ended first, not of those that noticed."""
    give_up = time.monotonic() + _LAST_WORDS_SECONDS
    while time.monotonic() < give_up:
        for rank, member in enumerate(members):
            if member.poll() not in (None, 0, PEER_LOST):
                return _error_of(run, rank, len(members), member.returncode)
        time.sleep(_POLL_SECONDS)
    return _Died("The processes lost their connection with each other.")


def _error_of(run: RunDirectory, rank: int, size: int, status: int) -> Exception:
    last = _last_of(run, rank)
    if isinstance(last, Failed) and status == MENDABLE:
        return TrainingError(last.message)
    who = f"Process {rank + 1} of {size}"
    if isinstance(last, Failed):
        return _Died(f"{who}: {last.message}")
    how = f"was ended by {_signal(-status)}" if status < 0 else f"ended with status {status}"
    line = _last_line(_log_file(run, rank)) if status > 0 else ""
    return _Died(f"{who} {how}" + (f": {line}" if line else "."))


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_of(run: RunDirectory, rank: int) -> Event | None:
    try:
        return decode(_last_file(run, rank).read_bytes())
    except OSError:
        return None


def _last_line(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        lines = file.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""
    return ""
