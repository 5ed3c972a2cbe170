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
from engine.errors import RunError, TrainingError, TrainingFailed
from engine.files import atomic
from engine.launch import rendezvous
from engine.launch.rendezvous import MachineLost
from engine.processes.signals import Terminated, Termination
from engine.processes.spawn import spawn
from engine.runs import control
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, Failed, Log, decode, encode
from engine.runs.session import RunSession

MENDABLE, DEFECT, PEER_LOST = 1, 2, 3
"""Exit status of a failed process: an error that the user can correct, a defect of the program, the
loss of another process."""
_POLL_SECONDS = 0.1
_FINAL_EVENT_SECONDS = 5.0
"""Time-out for finding the failed process, after another has noticed."""
_TAIL = 2000
_LOOPBACK = "lo" if sys.platform == "linux" else "lo0"


class _ProcessExited(Exception):
    """A process of the group exited before the end of training."""


class _Unconnected(_ProcessExited):
    """The cause is none of this node's processes."""


@dataclass(frozen=True)
class _LocalProcesses:
    """The processes of this node."""

    run: RunDirectory
    size: int
    """World size: number of processes on all nodes."""
    ranks: range
    rendezvous: str
    environment: Mapping[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def failed(self) -> bool:
        """Return whether one of them exited with an error."""
        return any(process.poll() for process in self.processes)


def train_in_ranks(session: RunSession) -> Event:
    """Train like :func:`engine.training.run.train_in`, in as many processes as are asked for.

    Raises :class:`TrainingError` with the message of the process that failed.
    """
    run, train, termination = session.run, session.config.train, session.termination

    def asked() -> bool:
        # No process is training yet that could stop and save something.
        return termination.asked() or run.requests.waits(control.STOP)

    with rendezvous.gathered(run, train) as others:
        if train.machines > 1:
            text = f"Waiting for {train.machines} machines, this one included."
            session.events.write(Log(level="info", message=text))
        for restarts in range(train.max_restarts + 1):
            try:
                others.gather(asked)
                return _together(_local_processes(run, train, 0), others, termination)
            except (_ProcessExited, MachineLost) as death:
                if termination.asked():
                    raise Terminated from death
                if restarts == train.max_restarts:
                    raise TrainingFailed(f"{death}") from death
                text = f"{death} Resuming from the last checkpoint ({restarts + 1} of "
                session.warn(f"{text}{train.max_restarts} times).")
    raise AssertionError


def join(run: RunDirectory, node: int, wanted: Callable[[], bool]) -> None:
    """Train as node ``node`` of a run that belongs to the main node, until the run ends.

    When ``wanted`` turns false, this node's processes are ended and the main node is notified.
    Raises :class:`TrainingError` for an error here, or when the main node is lost.
    """
    train = run.config.read().train
    main = rendezvous.MainNode(run, node)
    try:
        while main.next_attempt(wanted):
            _beside(_local_processes(run, train, node), main, wanted)
    except MachineLost as lost:
        raise TrainingFailed(f"{lost}") from lost


def _beside(local: _LocalProcesses, main: rendezvous.MainNode, wanted: Callable[[], bool]) -> None:
    """Run one attempt on a node other than the main node."""
    with _started(local):
        while any(process.poll() is None for process in local.processes) and not local.failed():
            if not main.continues():
                _leave_time(local)
                return
            if not wanted():
                main.report(
                    f"Machine {local.ranks.start // len(local.ranks) + 1} was asked to stop.", False
                )
                return
            time.sleep(_POLL_SECONDS)
        if local.failed():
            cause = _cause(local)
            mendable = isinstance(cause, TrainingError)
            usage = isinstance(cause, TrainingError) and cause.usage
            main.report("" if isinstance(cause, _Unconnected) else f"{cause}", mendable, usage)
            if mendable:
                raise cause


def _leave_time(local: _LocalProcesses) -> None:
    """Wait for the processes to exit: the main node has finished."""
    give_up = time.monotonic() + _FINAL_EVENT_SECONDS
    while any(process.poll() is None for process in local.processes) and time.monotonic() < give_up:
        time.sleep(_POLL_SECONDS)


def _local_processes(run: RunDirectory, train: TrainConfig, node: int) -> _LocalProcesses:
    """Return the processes of node ``node``, not yet started."""
    ranks = range(node * train.devices, (node + 1) * train.devices)
    if train.machines == 1:
        file = run.ranks / f"rendezvous-{time.time_ns()}"
        return _LocalProcesses(
            run, train.processes, ranks, str(file.absolute()), _network(_LOOPBACK)
        )
    place = rendezvous.place_of(train)
    return _LocalProcesses(run, train.processes, ranks, place.rendezvous, _network(place.interface))


def report_file(run: RunDirectory, rank: int) -> Path:
    """Return the file of a process's events: for rank 0 the run's own."""
    return run.events.path if rank == 0 else run.ranks / f"{rank}.jsonl"


def write_final_event(run: RunDirectory, rank: int, event: Event) -> None:
    """Write the final event of a process. Raises ``OSError``."""
    atomic.write_text(_final_event_file(run, rank), encode(event))


def _final_event_file(run: RunDirectory, rank: int) -> Path:
    return run.ranks / f"{rank}.last.json"


def _log_file(run: RunDirectory, rank: int) -> Path:
    return run.log if rank == 0 else run.ranks / f"{rank}.txt"


def _together(
    local: _LocalProcesses, others: rendezvous.SingleNode, termination: Termination
) -> Event:
    with termination.deferred(), _started(local):
        leader = local.processes[0]
        told = False
        while leader.poll() != 0:
            if termination.asked() and not told:
                leader.send_signal(signal.SIGTERM)
                told = True
            if local.failed():
                raise _cause(local, others)
            others.check()
            time.sleep(_POLL_SECONDS)
    last = _final_event(local.run, 0)
    if last is None:
        raise _ProcessExited(f"Process 1 of {local.size} exited without an error message.")
    return last


@contextmanager
def _started(local: _LocalProcesses) -> Iterator[None]:
    run, processes = local.run, local.processes
    try:
        run.ranks.mkdir(mode=0o700, exist_ok=True)
        for rank in local.ranks:
            _final_event_file(run, rank).unlink(missing_ok=True)
        for left in run.ranks.glob("rendezvous*"):
            left.unlink()
        for rank in local.ranks:
            words = [str(run.path.absolute()), str(rank), str(local.size), local.rendezvous]
            processes.append(
                spawn("engine.launch.rank_worker", words, _log_file(run, rank), local.environment)
            )
        yield
    except OSError as error:
        raise RunError(f"Cannot start the processes of {run.id}: {error.strerror}.") from error
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def _network(name: str) -> dict[str, str]:
    """Return the network interfaces: within one node, the one that no other node can reach."""
    return {
        "GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", name),
        "NCCL_SOCKET_IFNAME": os.environ.get("NCCL_SOCKET_IFNAME", f"={name}"),
    }


def _cause(local: _LocalProcesses, others: rendezvous.SingleNode | None = None) -> Exception:
    """Return the error of the process that failed first, not of those that noticed."""
    give_up = time.monotonic() + _FINAL_EVENT_SECONDS
    while time.monotonic() < give_up:
        for rank, process in zip(local.ranks, local.processes, strict=True):
            if process.poll() not in (None, 0, PEER_LOST):
                return _error_of(local.run, rank, local.size, process.returncode)
        if others is not None:
            try:
                others.check()
            except (MachineLost, TrainingError) as death:
                return death
        time.sleep(_POLL_SECONDS)
    return _Unconnected("The processes lost their connection with each other.")


def _error_of(run: RunDirectory, rank: int, size: int, status: int) -> Exception:
    last = _final_event(run, rank)
    if isinstance(last, Failed) and status == MENDABLE:
        return (TrainingError if last.usage else TrainingFailed)(last.message)
    who = f"Process {rank + 1} of {size}"
    if isinstance(last, Failed):
        return _ProcessExited(f"{who}: {last.message}")
    how = f"was ended by {_signal(-status)}" if status < 0 else f"ended with status {status}"
    line = _last_line(_log_file(run, rank)) if status > 0 else ""
    return _ProcessExited(f"{who} {how}" + (f": {line}" if line else "."))


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _final_event(run: RunDirectory, rank: int) -> Event | None:
    try:
        return decode(_final_event_file(run, rank).read_bytes())
    except OSError:
        return None


def _last_line(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL))
        lines = file.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""
    return ""
