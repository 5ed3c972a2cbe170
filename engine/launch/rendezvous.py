"""Several machines that train one network: how they find each other and what they tell.

They share the folder of the runs. The first one, whose run it is, writes ``ranks/group.json`` and
lets its count grow as long as it lives; the others look for the run whose group is at the
rendezvous that they were given, and answer in ``ranks/machine-2.json``. So whether one lives, and
of what one died, all read in files; over the network only torch talks. For each attempt the first
machine waits until all others are ready, and what an attempt is has a number that never comes
again.

The rendezvous is an address of the first machine with a port. torch asks nobody there who he is:
it listens at this address alone, and its further connections go by the network that the address
belongs to, so that a network between the machines, closed to others, is the one to give.
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

from engine.config.train import TrainConfig
from engine.errors import TrainingError, UserError
from engine.files import atomic
from engine.processes.signals import Terminated
from engine.runs.directory import RunDirectory, each_run

_NODE = ("NODE_RANK", "GROUP_RANK", "SLURM_NODEID")
"""Of PyTorch Lightning and others, of torchrun, of Slurm."""
_BEAT_SECONDS = 1.0
_SILENCE_SECONDS = 60.0
"""A machine that is not heard of for so long is lost."""
_BACK_SECONDS = 120.0
"""So long the others have to come back before the next attempt."""
_POLL_SECONDS = 0.2


class MachineLost(Exception):
    """Something happened on another machine, or to it: the attempt is over."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which of several machines this one is, counted from 0, and where the first one is."""

    node: int
    host: str
    port: int

    @property
    def rendezvous(self) -> str:
        """As in ``train.rendezvous``."""
        return f"{self.host}:{self.port}"

    @property
    def interface(self) -> str:
        """The network by which this machine reaches the first one; raises :class:`UserError`."""
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
                "Give an address of the first machine.",
            ) from error
        for name, addresses in psutil.net_if_addrs().items():
            if any(one.address.partition("%")[0] == own for one in addresses):
                return name
        raise TrainingError(f"train.rendezvous: no network of this machine has {own}.")


def place_of(train: TrainConfig, environment: Mapping[str, str] = os.environ) -> Place:
    """What configuration and environment say; raises :class:`UserError`."""
    text = train.rendezvous or ":".join(
        environment.get(name, "") for name in ("MASTER_ADDR", "MASTER_PORT")
    )
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UserError(
            f"train.nodes={train.nodes} needs to know where the first machine is, as host:port.",
            "Set train.rendezvous, or MASTER_ADDR and MASTER_PORT.",
        )
    node = next((environment[name] for name in _NODE if environment.get(name)), "0")
    if not node.isdecimal() or int(node) >= train.nodes:
        raise UserError(
            f"NODE_RANK {node[:20]!r} is none of {train.nodes} machines.",
            f"They are counted from 0 to {train.nodes - 1}.",
        )
    return Place(int(node), host, int(port))


class _Pulse:
    """A file that another machine writes again and again for as long as it lives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = ""
        self._heard = time.monotonic()

    def read(self) -> dict[str, Any]:
        """What it says; empty where it says nothing."""
        content = ""
        with contextlib.suppress(OSError):
            content = self._path.read_text()
        if content != self._content:
            self._content, self._heard = content, time.monotonic()
        try:
            said = json.loads(content)
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}

    @property
    def silent(self) -> bool:
        """Whether nothing has changed for long."""
        return time.monotonic() - self._heard > _SILENCE_SECONDS


class _Voice:
    """What this machine says, and that it lives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._said: dict[str, Any] = {}
        self._count = 0
        self._last = 0.0

    def say(self, **said: Any) -> None:
        """Say something new at once. Raises ``OSError``."""
        self._said = said
        self._last = time.monotonic()
        self._count += 1
        atomic.write_json(self._path, {**said, "count": self._count})

    def beat(self) -> bool:
        """Say it again, if it is time; whether it was."""
        if time.monotonic() - self._last < _BEAT_SECONDS:
            return False
        self.say(**self._said)
        return True


class Alone:
    """There is no other machine."""

    def gather(self, asked: Callable[[], bool]) -> None:
        """Wait for the others; raises :class:`Terminated` when ``asked`` becomes true."""

    def attend(self) -> None:
        """Look after the others, and show that this one lives.

        Raises :class:`MachineLost`, or :class:`TrainingError` where a person must mend something.
        """


class First(Alone):
    """The other machines, seen from the first one."""

    def __init__(self, run: RunDirectory, place: Place, nodes: int) -> None:
        self._others = [_Pulse(_file(run, node)) for node in range(1, nodes)]
        self._voice = _Voice(_group(run))
        self._place = place
        self._attempt = 0
        self._before = 0

    def gather(self, asked: Callable[[], bool]) -> None:
        """As :meth:`Alone.gather`; the first time without end."""
        self._before, self._attempt = self._attempt, time.time_ns()
        self._say("gathering")
        began = time.monotonic()
        while missing := [n for n, said in self._read() if said.get("state") != "ready"]:
            if asked():
                raise Terminated
            if self._before and time.monotonic() - began > _BACK_SECONDS:
                raise TrainingError(f"Machine {missing[0]} did not come back.")
            time.sleep(_POLL_SECONDS)
            self._voice.beat()
        self._say("training")

    def attend(self) -> None:
        """As :meth:`Alone.attend`."""
        if not self._voice.beat():
            return
        self.look()
        for number, other in enumerate(self._others, 2):
            if other.silent:
                raise MachineLost(f"Machine {number} is not heard of any more.")

    def look(self) -> None:
        """Raise what another machine said that it died of."""
        for _, said in self._read():
            if said.get("state") == "died" and said.get("message"):
                raise (TrainingError if said.get("mendable") else MachineLost)(said["message"])

    def _read(self) -> list[tuple[int, dict[str, Any]]]:
        """What each other machine says of this attempt, by the number that people know it by."""
        all_said = ((number, other.read()) for number, other in enumerate(self._others, 2))
        return [(n, said if said.get("attempt") == self._attempt else {}) for n, said in all_said]

    def _say(self, stage: str) -> None:
        self._voice.say(rendezvous=self._place.rendezvous, attempt=self._attempt, stage=stage)

    def close(self) -> None:
        """Nothing more will be tried. Raises ``OSError``."""
        self._say("over")


@contextmanager
def gathered(run: RunDirectory, train: TrainConfig) -> Iterator[Alone]:
    """The other machines of a run, for as long as it lasts on the first one.

    Raises :class:`~engine.errors.UserError`.
    """
    if train.machines == 1:
        yield Alone()
        return
    place = place_of(train)
    if place.node:
        raise UserError(
            f"This is machine {place.node + 1} of {train.nodes}: the run belongs to the first one.",
            "Join it from here with `dltui run`.",
        )
    _check(place)
    run.ranks.mkdir(mode=0o700, exist_ok=True)
    others = First(run, place, train.nodes)
    try:
        yield others
    finally:
        with contextlib.suppress(OSError):
            others.close()


def _check(place: Place) -> None:
    """Other machines would look for themselves where a name means the machine that asks."""
    try:
        address = ipaddress.ip_address(socket.gethostbyname(place.host))
    except (OSError, ValueError):
        return  # said better by whoever listens there
    named = not place.host.startswith(("localhost", "127."))
    if address.is_loopback and named:
        raise UserError(
            f"train.rendezvous: on this machine {place.host} is {address}, which no other reaches.",
            "Give its address in the network between the machines.",
        )


class Other:
    """The first machine, seen from another one."""

    def __init__(self, run: RunDirectory, node: int) -> None:
        self._first = _Pulse(_group(run))
        self._voice = _Voice(_file(run, node))
        self._attempt = 0

    def next_attempt(self, wanted: Callable[[], bool]) -> bool:
        """Be ready for the next one and wait until it begins; ``False`` if there will be none.

        Raises :class:`MachineLost`.
        """
        ready = 0
        while wanted():
            said = self._said()
            if said.get("stage") == "over":
                return False
            if said.get("stage") == "gathering" and said["attempt"] not in (ready, self._attempt):
                ready = said["attempt"]
                self._voice.say(attempt=ready, state="ready")
            if said.get("stage") == "training" and said["attempt"] == ready:
                self._attempt = ready
                return True
            time.sleep(_POLL_SECONDS)
            self._voice.beat()
        return False

    def goes_on(self) -> bool:
        """Whether the first machine still is at this attempt. Raises :class:`MachineLost`."""
        if not self._voice.beat():
            return True
        said = self._said()
        return bool(said.get("attempt") == self._attempt and said.get("stage") == "training")

    def tell(self, message: str, mendable: bool) -> None:
        """Say of what the attempt died here; empty if that happened elsewhere."""
        self._voice.say(attempt=self._attempt, state="died", message=message, mendable=mendable)

    def _said(self) -> dict[str, Any]:
        said = self._first.read()
        if self._first.silent:
            raise MachineLost("The first machine is not heard of any more.")
        return said


def find(folder: Path, place: Place, wanted: Callable[[], bool]) -> RunDirectory | None:
    """The run whose first machine is at the rendezvous now; ``None`` when it is not ``wanted``.

    Raises :class:`~engine.errors.RunError` where the folder cannot be read.
    """
    seen: dict[str, int] = {}
    while wanted():
        for run in each_run(folder):
            said = _Pulse(_group(run)).read()
            if said.get("rendezvous") != place.rendezvous or said.get("stage") == "over":
                continue
            # What an earlier one left behind does not change.
            if seen.setdefault(run.id, said["count"]) != said["count"]:
                return run
        time.sleep(_BEAT_SECONDS)
    return None


def _group(run: RunDirectory) -> Path:
    return run.ranks / "group.json"


def _file(run: RunDirectory, node: int) -> Path:
    return run.ranks / f"machine-{node + 1}.json"
