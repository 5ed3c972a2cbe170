"""Rendezvous of several nodes that train one network.

They share the folder of the runs. The main node, whose run it is, writes ``ranks/group.json`` and
increases its count as a heartbeat. The others search for the run whose group has their rendezvous,
and answer in ``ranks/machine-2.json``. So heartbeats and errors go through files; only torch uses
the network. For each attempt the main node waits until all others are ready. Each attempt has a
unique number.

The rendezvous is an address of the main node with a port. torch has no authentication. It listens
at this address alone, and its further connections use the same network. So the address should
belong to a network between the nodes that is closed to others.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from typing_extensions import override

from engine.config.train import TrainConfig
from engine.errors import TrainingError, TrainingFailed, UserError
from engine.files import atomic
from engine.processes.signals import Terminated
from engine.runs.directory import RunDirectory, each_run

_NODE = ("NODE_RANK", "GROUP_RANK", "SLURM_NODEID")
"""Node rank set by PyTorch Lightning and others, by torchrun, by Slurm."""
_HEARTBEAT_SECONDS = 1.0
_TIMEOUT_SECONDS = 60.0
"""Time without heartbeat after which a node counts as lost."""
_REJOIN_SECONDS = 120.0
"""Time-out for the other nodes to return before the next attempt."""
_POLL_SECONDS = 0.2


class MachineLost(Exception):
    """An error on another node, or its loss: the attempt is over."""


@dataclass(frozen=True, slots=True)
class Place:
    """This node's rank, counted from 0, and the address of the main node."""

    node: int
    host: str
    port: int

    @property
    def rendezvous(self) -> str:
        """The address as in ``train.rendezvous``."""
        return f"{self.host}:{self.port}"

    @property
    def interface(self) -> str:
        """The network interface to the main node; raises :class:`UserError`."""
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind) as probe:
                probe.connect(address)  # sends nothing
                own = probe.getsockname()[0]
        except OSError as error:
            raise TrainingError(
                f"train.rendezvous: {self.host} cannot be reached: {error.strerror}.",
                "Give an address of the main node.",
            ) from error
        for name, addresses in psutil.net_if_addrs().items():
            if any(one.address.partition("%")[0] == own for one in addresses):
                return name
        raise TrainingError(f"train.rendezvous: no network of this machine has {own}.")


def place_of(train: TrainConfig, environment: Mapping[str, str] = os.environ) -> Place:
    """Return the place from configuration and environment; raises :class:`UserError`."""
    text = train.rendezvous or ":".join(
        environment.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT")
    )
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UserError(
            f"train.nodes={train.nodes} needs the address of the main node, as host:port.",
            "Set train.rendezvous, or MASTER_ADDR and MASTER_PORT.",
        )
    node = next((environment[name] for name in _NODE if environment.get(name)), "0")
    if not node.isdecimal() or int(node) >= train.nodes:
        raise UserError(
            f"NODE_RANK {node[:20]!r} is none of {train.nodes} machines.",
            f"They are counted from 0 to {train.nodes - 1}.",
        )
    return Place(int(node), host, int(port))


class _RemoteHeartbeat:
    """The heartbeat of another node: a file that it keeps rewriting."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = ""
        self._changed = time.monotonic()

    def read(self) -> dict[str, Any]:
        """Read the content; empty where it cannot be read."""
        content = ""
        with contextlib.suppress(OSError):
            content = self._path.read_text()
        if content != self._content:
            self._content, self._changed = content, time.monotonic()
        try:
            said = json.loads(content)
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}

    @property
    def timed_out(self) -> bool:
        """Whether the heartbeat has timed out."""
        return time.monotonic() - self._changed > _TIMEOUT_SECONDS


class _Heartbeat:
    """This node's state and heartbeat."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: dict[str, Any] = {}
        self._count = 0
        self._last = 0.0

    def write(self, **state: Any) -> None:
        """Write a new state at once. Raises ``OSError``."""
        self._state = state
        self._last = time.monotonic()
        self._count += 1
        atomic.write_json(self._path, {**state, "count": self._count})

    def beat(self) -> bool:
        """Write the state again if it is due; returns whether it was."""
        if time.monotonic() - self._last < _HEARTBEAT_SECONDS:
            return False
        self.write(**self._state)
        return True


class SingleNode:
    """A single node."""

    def gather(self, asked: Callable[[], bool]) -> None:
        """Wait for the other nodes; raises :class:`Terminated` when ``asked`` returns true."""

    def check(self) -> None:
        """Check the other nodes' heartbeats and write this node's.

        Raises :class:`MachineLost`, or :class:`TrainingError` where the user must correct
        something.
        """


class OtherNodes(SingleNode):
    """The other nodes, as the main node sees them."""

    def __init__(self, run: RunDirectory, place: Place, nodes: int) -> None:
        self._others = [_RemoteHeartbeat(_file(run, node)) for node in range(1, nodes)]
        self._heartbeat = _Heartbeat(_group(run))
        self._place = place
        self._attempt = 0
        self._before = 0

    @override
    def gather(self, asked: Callable[[], bool]) -> None:
        """Wait for the other nodes; the first time without time-out."""
        self._before, self._attempt = self._attempt, time.time_ns()
        self._write("gathering")
        began = time.monotonic()
        while missing := [n for n, said in self._read() if said.get("state") != "ready"]:
            if asked():
                raise Terminated
            if self._before and time.monotonic() - began > _REJOIN_SECONDS:
                raise TrainingFailed(f"Machine {missing[0]} did not come back.")
            time.sleep(_POLL_SECONDS)
            self._heartbeat.beat()
        self._write("training")

    @override
    def check(self) -> None:
        if not self._heartbeat.beat():
            return
        self.check_errors()
        for number, other in enumerate(self._others, 2):
            if other.timed_out:
                raise MachineLost(f"The heartbeat of machine {number} timed out.")

    def check_errors(self) -> None:
        """Raise the error that another node reported."""
        for _, said in self._read():
            if said.get("state") == "died" and said.get("message"):
                kind = TrainingFailed if said.get("mendable") else MachineLost
                raise (TrainingError if said.get("usage") else kind)(said["message"])

    def _read(self) -> list[tuple[int, dict[str, Any]]]:
        """Return each other node's state in this attempt, by its number in messages (from 2 on)."""
        all_said = ((number, other.read()) for number, other in enumerate(self._others, 2))
        return [(n, said if said.get("attempt") == self._attempt else {}) for n, said in all_said]

    def _write(self, stage: str) -> None:
        self._heartbeat.write(rendezvous=self._place.rendezvous, attempt=self._attempt, stage=stage)

    def close(self) -> None:
        """Report to the other nodes that there are no more attempts. Raises ``OSError``."""
        self._write("over")


@contextmanager
def gathered(run: RunDirectory, train: TrainConfig) -> Iterator[SingleNode]:
    """Yield the other nodes of a run, on the main node, for as long as the run lasts.

    Raises :class:`~engine.errors.UserError`.
    """
    if train.machines == 1:
        yield SingleNode()
        return
    place = place_of(train)
    if place.node:
        raise UserError(
            f"This is machine {place.node + 1} of {train.nodes}: the run belongs to the main node.",
            "Join it from here with `dltui run`.",
        )
    _check(place)
    run.ranks.mkdir(mode=0o700, exist_ok=True)
    others = OtherNodes(run, place, train.nodes)
    try:
        yield others
    finally:
        with contextlib.suppress(OSError):
            others.close()


def _check(place: Place) -> None:
    """Reject a host name that is a loopback address here, as the other nodes could not reach it."""
    try:
        address = ipaddress.ip_address(socket.gethostbyname(place.host))
    except (OSError, ValueError):
        return  # the process that listens there has a better message
    named = not place.host.startswith(("localhost", "127."))
    if address.is_loopback and named:
        raise UserError(
            f"train.rendezvous: on this machine {place.host} is {address}, which no other reaches.",
            "Give its address in the network between the machines.",
        )


class MainNode:
    """The main node, as another node sees it."""

    def __init__(self, run: RunDirectory, node: int) -> None:
        self._main = _RemoteHeartbeat(_group(run))
        self._heartbeat = _Heartbeat(_file(run, node))
        self._attempt = 0

    def next_attempt(self, wanted: Callable[[], bool]) -> bool:
        """Report ready and wait for the next attempt; returns ``False`` if there will be none.

        Raises :class:`MachineLost`.
        """
        ready = 0
        while wanted():
            said = self._read()
            if said.get("stage") == "over":
                return False
            if said.get("stage") == "gathering" and said["attempt"] not in (ready, self._attempt):
                ready = said["attempt"]
                self._heartbeat.write(attempt=ready, state="ready")
            if said.get("stage") == "training" and said["attempt"] == ready:
                self._attempt = ready
                return True
            time.sleep(_POLL_SECONDS)
            self._heartbeat.beat()
        return False

    def continues(self) -> bool:
        """Return whether the main node still runs this attempt. Raises :class:`MachineLost`."""
        if not self._heartbeat.beat():
            return True
        said = self._read()
        return bool(said.get("attempt") == self._attempt and said.get("stage") == "training")

    def report(self, message: str, mendable: bool, usage: bool = False) -> None:
        """Report the error that ended the attempt here; empty if it happened elsewhere."""
        self._heartbeat.write(
            attempt=self._attempt, state="died", message=message, mendable=mendable, usage=usage
        )

    def _read(self) -> dict[str, Any]:
        said = self._main.read()
        if self._main.timed_out:
            raise MachineLost("The main node's heartbeat timed out.")
        return said


def find(folder: Path, place: Place, wanted: Callable[[], bool]) -> RunDirectory | None:
    """Return the run at the rendezvous; ``None`` when ``wanted`` turns false.

    Raises :class:`~engine.errors.RunError` where the folder cannot be read.
    """
    seen: dict[str, int] = {}
    while wanted():
        for run in each_run(folder):
            said = _RemoteHeartbeat(_group(run)).read()
            if said.get("rendezvous") != place.rendezvous or said.get("stage") == "over":
                continue
            # The file of an earlier run does not change.
            if seen.setdefault(run.id, said["count"]) != said["count"]:
                return run
        time.sleep(_HEARTBEAT_SECONDS)
    return None


def _group(run: RunDirectory) -> Path:
    return run.ranks / "group.json"


def _file(run: RunDirectory, node: int) -> Path:
    return run.ranks / f"machine-{node + 1}.json"
