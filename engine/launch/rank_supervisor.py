"""The supervisor of a run with several training processes.

``ranks/`` in the run's directory has the final event of each process. It has the output and the
events of each except the main one. One process that fails ends all. They restart from the newest
checkpoint, unless the user has to correct something first. With several nodes, each has a
supervisor; that of the main node decides, see :mod:`engine.launch.rendezvous`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.config.train import TrainConfig
from engine.errors import RunError, TrainingError
from engine.files import atomic
from engine.launch import rendezvous
from engine.launch.rendezvous import MachineLost
from engine.processes.signals import Terminated, Termination
from engine.processes.spawn import spawn
from engine.runs import control
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, EventLog, Failed, Log, decode, encode

MENDABLE, DEFECT, PEER_LOST = 1, 2, 3
"""Exit status of a failed process: an error that the user can correct, a defect of the program, the
loss of another process."""
_POLL_SECONDS = 0.1
_LAST_WORDS_SECONDS = 5.0
"""Time-out for finding the failed process, after another has noticed."""
_TAIL = 2000
_LOOPBACK = "lo" if sys.platform == "linux" else "lo0"


class _Died(Exception):
    """A process of the group exited before the end of training."""


class _Unconnected(_Died):
    """The cause is none of this node's processes."""


@dataclass(frozen=True)
class _Crew:
    """The processes of this node."""

    run: RunDirectory
    size: int
    """World size: number of processes on all nodes."""
    ranks: range
    meeting: str
    environment: Mapping[str, str]
    members: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def failed(self) -> bool:
        """Return whether one of them exited with an error."""
        return any(member.poll() for member in self.members)


def train_in_ranks(run: RunDirectory, events: EventLog, termination: Termination) -> Event:
    """Train like :func:`engine.training.run.train_in`, in as many processes as are asked for.

    Raises :class:`TrainingError` with the message of the process that failed.
    """
    train = run.config.read().train

    def asked() -> bool:
        # No process is training yet that could stop and save something.
        return termination.asked() or run.requests.waits(control.STOP)

    with rendezvous.gathered(run, train) as others:
        if train.machines > 1:
            text = f"Waiting for {train.machines} machines to be there, of which this is one."
            events.write(Log(level="info", message=text))
        for restarts in range(train.max_restarts + 1):
            try:
                others.gather(asked)
                return _together(_crew(run, train, 0), others, termination)
            except (_Died, MachineLost) as death:
                if termination.asked():
                    raise Terminated from death
                if restarts == train.max_restarts:
                    raise TrainingError(f"{death}") from death
                text = f"{death} Resuming from the last checkpoint ({restarts + 1} of "
                events.write(Log(level="warning", message=f"{text}{train.max_restarts} times)."))
    raise AssertionError


def join(run: RunDirectory, node: int, wanted: Callable[[], bool]) -> None:
    """Train as node ``node`` of a run that belongs to the main node, until the run ends.

    When ``wanted`` turns false, this node's processes are ended and the main node is notified.
    Raises :class:`TrainingError` for an error here, or when the main node is lost.
    """
    train = run.config.read().train
    first = rendezvous.Other(run, node)
    try:
        while first.next_attempt(wanted):
            _beside(_crew(run, train, node), first, wanted)
    except MachineLost as lost:
        raise TrainingError(f"{lost}") from lost


def _beside(crew: _Crew, first: rendezvous.Other, wanted: Callable[[], bool]) -> None:
    """Run one attempt on a node other than the main node."""
    with _started(crew):
        while any(member.poll() is None for member in crew.members) and not crew.failed():
            if not first.goes_on():
                _leave_time(crew)
                return
            if not wanted():
                first.tell(
                    f"Machine {crew.ranks.start // len(crew.ranks) + 1} was asked to stop.", False
                )
                return
            time.sleep(_POLL_SECONDS)
        if crew.failed():
            cause = _cause(crew)
            mendable = isinstance(cause, TrainingError)
            first.tell("" if isinstance(cause, _Unconnected) else f"{cause}", mendable)
            if mendable:
                raise cause


def _leave_time(crew: _Crew) -> None:
    """Wait for the processes to exit: the main node has finished."""
    give_up = time.monotonic() + _LAST_WORDS_SECONDS
    while any(member.poll() is None for member in crew.members) and time.monotonic() < give_up:
        time.sleep(_POLL_SECONDS)


def _crew(run: RunDirectory, train: TrainConfig, node: int) -> _Crew:
    """Return the processes of node ``node``, not yet started."""
    ranks = range(node * train.devices, (node + 1) * train.devices)
    if train.machines == 1:
        meeting = run.ranks / f"meeting-{time.time_ns()}"
        return _Crew(run, train.processes, ranks, str(meeting.absolute()), _network(_LOOPBACK))
    place = rendezvous.place_of(train)
    return _Crew(run, train.processes, ranks, place.rendezvous, _network(place.interface))


def report_file(run: RunDirectory, rank: int) -> Path:
    """Return the file of a process's events: for rank 0 the run's own."""
    return run.events.path if rank == 0 else run.ranks / f"{rank}.jsonl"


def say_last(run: RunDirectory, rank: int, event: Event) -> None:
    """Write the final event of a process. Raises ``OSError``."""
    atomic.write_text(_last_file(run, rank), encode(event))


def _last_file(run: RunDirectory, rank: int) -> Path:
    return run.ranks / f"{rank}.last.json"


def _log_file(run: RunDirectory, rank: int) -> Path:
    return run.log if rank == 0 else run.ranks / f"{rank}.txt"


def _together(crew: _Crew, others: rendezvous.Alone, termination: Termination) -> Event:
    with termination.deferred(), _started(crew):
        leader = crew.members[0]
        told = False
        while leader.poll() != 0:
            if termination.asked() and not told:
                leader.send_signal(signal.SIGTERM)
                told = True
            if crew.failed():
                raise _cause(crew, others)
            others.attend()
            time.sleep(_POLL_SECONDS)
    last = _last_of(crew.run, 0)
    if last is None:
        raise _Died(f"Process 1 of {crew.size} exited without an error message.")
    return last


@contextmanager
def _started(crew: _Crew) -> Iterator[None]:
    run, members = crew.run, crew.members
    try:
        run.ranks.mkdir(mode=0o700, exist_ok=True)
        for rank in crew.ranks:
            _last_file(run, rank).unlink(missing_ok=True)
        for left in run.ranks.glob("meeting*"):
            left.unlink()
        for rank in crew.ranks:
            words = [str(run.path.absolute()), str(rank), str(crew.size), crew.meeting]
            members.append(
                spawn("engine.launch.rank_worker", words, _log_file(run, rank), crew.environment)
            )
        yield
    except OSError as error:
        raise RunError(f"Cannot start the processes of {run.id}: {error.strerror}.") from error
    finally:
        for member in members:
            member.kill()
        for member in members:
            member.wait()


def _network(name: str) -> dict[str, str]:
    """Return the network interfaces: within one node, the one that no other node can reach."""
    return {
        "GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", name),
        "NCCL_SOCKET_IFNAME": os.environ.get("NCCL_SOCKET_IFNAME", f"={name}"),
    }


def _cause(crew: _Crew, others: rendezvous.Alone | None = None) -> Exception:
    """Return the error of the process that failed first, not of those that noticed."""
    give_up = time.monotonic() + _LAST_WORDS_SECONDS
    while time.monotonic() < give_up:
        for rank, member in zip(crew.ranks, crew.members, strict=True):
            if member.poll() not in (None, 0, PEER_LOST):
                return _error_of(crew.run, rank, crew.size, member.returncode)
        if others is not None:
            try:
                others.attend()
            except (MachineLost, TrainingError) as death:
                return death
        time.sleep(_POLL_SECONDS)
    return _Unconnected("The processes lost their connection with each other.")


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
