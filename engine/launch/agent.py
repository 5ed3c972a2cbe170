"""torch's elastic agent for the processes of one node.

It starts, watches and restarts them, and keeps the membership of nodes. Beyond that, all nodes
agree on the cause of a failure: the error of the process that failed first, not of those that
noticed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from datetime import timedelta

import psutil
from torch.distributed.elastic.agent.server.api import (
    RunResult,
    WorkerGroup,
    WorkerSpec,
    WorkerState,
)
from torch.distributed.elastic.agent.server.local_elastic_agent import LocalElasticAgent
from torch.distributed.elastic.multiprocessing import LogsDest, LogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure
from torch.distributed.elastic.rendezvous import RendezvousHandler
from typing_extensions import override

from engine.config.train import TrainConfig
from engine.launch import error_file
from engine.launch.rank_files import PEER_LOST, Cause, cause_of, final_event, forget
from engine.processes.environment import worker_environment
from engine.processes.signals import Terminated
from engine.runs.directory import RunDirectory
from engine.runs.events import Interrupted
from engine.runs.progress_marks import StallWatch

_CAUSE = "cause"
_CAUSE_TIME = timedelta(seconds=5)
"""Time-out for the cause from another node, after processes here have lost their connection."""
_REJOIN_SECONDS = 120.0
"""Time-out for the other nodes to return before the next attempt."""
_EXIT_SECONDS = 10.0
"""Time-out for the other nodes to finish: their processes exit together."""
_POLL_SECONDS = 0.1
_WATCH_SECONDS = 1.0
_STACK_SECONDS = 0.5
_NOT_RUNNING = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_DISK_SLEEP)
_UNCONNECTED = Cause("The processes lost their connection with each other.")
_OVER = Cause("", over=True)


@dataclass(frozen=True)
class Node:
    """The run of an agent, and the watch over it."""

    run: RunDirectory
    train: TrainConfig
    network: Mapping[str, str]
    """Environment variables of the processes."""
    asked: Callable[[], bool]
    """Whether to leave; polled while the other nodes are waited for and while processes train.

    It may raise :class:`~engine.processes.signals.Terminated` to leave at once.
    """
    tell: Callable[[str], None]
    """Show a message to the user."""
    leads: bool
    stalled: Callable[[str], None] = lambda text: None
    """Record that no process makes progress."""


class Agent(LocalElasticAgent):
    """The agent of one node."""

    def __init__(self, node: Node, handler: RendezvousHandler) -> None:
        self._node = node
        self._handler = handler
        self._thread = ThreadPoolExecutor(1, "rendezvous")
        self._nodes = 0
        self._watch = StallWatch(node.run.ranks, "*.marks")
        self._next_watch = 0.0
        self._told = False
        self.waiting = True
        """Whether the other nodes are waited for."""
        self.cause = _UNCONNECTED
        """Why the last attempt ended, if it did not succeed."""
        run = str(node.run.path.absolute())
        words = ("-P", "-m", "engine.launch.rank_worker", run, str(os.getpid()))
        spec = WorkerSpec(
            "rank", node.train.devices, handler, entrypoint=sys.executable, args=words,
            max_restarts=node.train.max_restarts, monitor_interval=_POLL_SECONDS,
        )  # fmt: skip
        super().__init__(spec, _Logs(node), exit_barrier_timeout=_EXIT_SECONDS)

    @override
    def _rendezvous(self, worker_group: WorkerGroup) -> None:
        """Wait for the other nodes; the first time without time-out.

        Raises :class:`Terminated` when asked to leave, and where not all come back: nothing is
        wrong with the run, and a cluster that replaces a machine resumes it.
        """
        self.waiting = True
        joining = self._thread.submit(super()._rendezvous, worker_group)
        begun = time.monotonic()
        while not wait_for([joining], _POLL_SECONDS).done:
            late = self._nodes and time.monotonic() - begun > _REJOIN_SECONDS
            if late or self._node.asked():
                self._handler.set_closed()  # type: ignore[no-untyped-call]
                if late:
                    self._node.tell(
                        f"Not all {self._nodes} machines came back within {_REJOIN_SECONDS:.0f} "
                        "seconds. Resume the run when they are there."
                    )
                raise Terminated
        joining.result()
        self.waiting = False
        self._watch.restart()
        nodes = worker_group.group_world_size or 1
        if text := change_of_machines(self._nodes, nodes, self._node.train.machines):
            self._node.tell(text)
        self._nodes = nodes

    @override
    def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
        """Return the state of the processes here, or that an attempt failed on another node."""
        result: RunResult = super()._monitor_workers(worker_group)
        if result.state is WorkerState.HEALTHY:
            self._pass_on_requests(worker_group)
            own = self._stall(worker_group)
            if own is None and not (self._store and self._store.check([_CAUSE])):
                return result
        elif result.state is WorkerState.FAILED:
            own = self._own_cause(worker_group, result.failures)
        else:
            return result
        self.cause = self._agreed(own)
        if self.cause.stalled:
            self._end_stalled(worker_group)
        if self.cause.over:
            ranks = [worker.global_rank for worker in worker_group.workers]
            return RunResult(WorkerState.SUCCEEDED, return_values=dict.fromkeys(ranks))
        if self.cause.mendable:
            self._remaining_restarts = 0
        elif self._remaining_restarts:
            most = self._node.train.max_restarts
            attempt = most - self._remaining_restarts + 1
            self._node.tell(
                f"{self.cause.message} Resuming from the last checkpoint ({attempt} of {most} "
                "times)."
            )
        return RunResult(WorkerState.FAILED, failures=result.failures)

    def _pass_on_requests(self, worker_group: WorkerGroup) -> None:
        """Let the main process, which the others follow, save a checkpoint and end."""
        if self._node.asked() and self._node.leads and not self._told:
            self._told = True
            os.kill(worker_group.workers[0].id, signal.SIGTERM)

    def _stall(self, worker_group: WorkerGroup) -> Cause | None:
        """Return the cause if no process of any node makes progress; the main node watches."""
        if not self._node.leads or time.monotonic() < self._next_watch:
            return None
        self._next_watch = time.monotonic() + _WATCH_SECONDS
        last = self._watch.stalled()
        if last is None:
            return None
        size = worker_group.workers[0].world_size
        number = _stopped(worker_group)
        if number is None and last:
            number = int(last.partition(".")[0])
        lags = "" if number is None else f"; process {number + 1} of {size} lags behind"
        text = f"No update for {self._watch.limit / 60:.2g} minutes{lags}; log.txt and the folder "
        cause = Cause(f"{text}ranks have the stacks of all.", stalled=True)
        self._node.stalled(cause.message)
        return cause

    def _end_stalled(self, worker_group: WorkerGroup) -> None:
        """Let the processes here print their stacks, and end them."""
        for number in (signal.SIGUSR1, signal.SIGKILL):
            for worker in worker_group.workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.id, number)
            time.sleep(_STACK_SECONDS)

    def _own_cause(
        self, worker_group: WorkerGroup, failures: Mapping[int, ProcessFailure]
    ) -> Cause | None:
        """Return the cause if it is one of the processes here."""
        if self._node.leads and 0 not in failures and self._over():
            return _OVER
        if (first := first_of(failures)) is None:
            return None
        rank, failure = first
        size = worker_group.workers[0].world_size
        return cause_of(self._node.run, rank, size, failure.exitcode)

    def _over(self) -> bool:
        """Return whether the main process has finished, and not because of another's failure."""
        last = final_event(self._node.run, 0)
        # The agent ends the others by the signal with which a user ends them all.
        return last is not None and (not isinstance(last, Interrupted) or self._node.asked())

    def _agreed(self, own: Cause | None) -> Cause:
        """Return the cause that the first node reported in this attempt."""
        store = self._store
        assert store is not None
        if own is None:
            try:
                store.wait([_CAUSE], _CAUSE_TIME)
            except RuntimeError:
                own = _UNCONNECTED
        said = store.get(_CAUSE) if own is None else store.compare_set(_CAUSE, "", own.text())
        return Cause(**json.loads(said))

    def report(self, message: str) -> None:
        """End this attempt on all nodes, because of this one."""
        if self._store is not None:
            self._agreed(Cause(message))


def change_of_machines(before: int, now: int, most: int) -> str:
    """Return a sentence on the machines that train now; empty where all do, or as many as before.

    ``before`` is 0 for the first attempt, ``most`` the maximum of ``train.nodes``.
    """
    if not before:
        return f"Training on {now} of at most {most} machines." if now < most else ""
    return f"Training on {now} machine{'s' * (now > 1)} from here on." if now != before else ""


def first_of(failures: Mapping[int, ProcessFailure]) -> tuple[int, ProcessFailure] | None:
    """Return rank and failure of the process that failed first.

    ``None`` where all of them lost a process of another node, or were ended because of that.
    """
    # Their times are whole seconds. Within one, torch has first those that it found, then those of
    # the processes that it ended by SIGTERM because of them, whatever their ranks.
    in_order = sorted(failures.items(), key=lambda one: one[1].timestamp)
    for place, (rank, failure) in enumerate(in_order):
        ended_by_torch = place > 0 and failure.exitcode == -signal.SIGTERM
        if failure.exitcode != PEER_LOST and not ended_by_torch:
            return rank, failure
    return None


def _stopped(worker_group: WorkerGroup) -> int | None:
    """Return the rank of a process here that the system does not let run, if there is one."""
    for worker in worker_group.workers:
        with contextlib.suppress(psutil.Error):
            if psutil.Process(worker.id).status() in _NOT_RUNNING:
                return int(worker.global_rank)
    return None


class _Logs(LogsSpecs):
    """Each process opens its own log; here are its environment and the file for its error."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node

    @property
    @override
    def root_log_dir(self) -> str:
        return str(self._node.run.ranks)

    @override
    def reify(self, envs: dict[int, dict[str, str]]) -> LogsDest:
        """Complete the environments; return where errors are written. Raises ``OSError``."""
        run, errors = self._node.run, {}
        run.ranks.mkdir(mode=0o700, exist_ok=True)
        for local, variables in envs.items():
            rank = int(variables["RANK"])
            forget(run, rank)
            file = run.ranks / f"{rank}.error.json"
            for left in (file, run.ranks / f"{rank}.marks"):
                left.unlink(missing_ok=True)
            errors[local] = str(file)
            added = {error_file.VARIABLE: errors[local]}
            envs[local] = {**worker_environment(), **self._node.network, **variables, **added}
        inherited = dict.fromkeys(envs, "")
        return LogsDest(inherited, dict(inherited), error_files=errors)
