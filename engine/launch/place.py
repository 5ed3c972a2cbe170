"""This node among those that train one network, from configuration and environment."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from engine.config.train import TrainConfig
from engine.errors import TrainingError, UserError

_NODE = ("NODE_RANK", "PET_NODE_RANK", "GROUP_RANK", "JOB_COMPLETION_INDEX", "SLURM_NODEID")
"""Node rank set by PyTorch Lightning and others, by Kubeflow, torchrun, Kubernetes and Slurm."""
_ADDRESS = ("MASTER_ADDR", "PET_MASTER_ADDR")
_PORT = ("MASTER_PORT", "PET_MASTER_PORT")


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
    def address(self) -> str:
        """This node's own address in the network of the main node.

        Raises :class:`TrainingError`.
        """
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                self.host, self.port or 1, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind) as probe:
                probe.connect(address)  # sends nothing
                return str(probe.getsockname()[0])
        except OSError as error:
            raise TrainingError(
                f"train.rendezvous: {self.host} cannot be reached: {error.strerror}.",
                "Give an address of the main node.",
            ) from error

    @property
    def interface(self) -> str:
        """The network interface to the main node; raises :class:`TrainingError`."""
        own = self.address
        for name, addresses in psutil.net_if_addrs().items():
            if any(one.address.partition("%")[0] == own for one in addresses):
                return name
        raise TrainingError(f"train.rendezvous: no network of this machine has {own}.")

    def network(self) -> dict[str, str]:
        """Return the variables that keep gloo and NCCL to the network of the main node."""
        name = self.interface
        return {
            "GLOO_SOCKET_IFNAME": os.environ.get("GLOO_SOCKET_IFNAME", name),
            "NCCL_SOCKET_IFNAME": os.environ.get("NCCL_SOCKET_IFNAME", f"={name}"),
        }


def place_of(train: TrainConfig, environment: Mapping[str, str] = os.environ) -> Place:
    """Return the place from configuration and environment; raises :class:`UserError`.

    A single node is its own main node, at any free port that no other node can reach.
    """
    if train.machines == 1:
        return Place(0, "127.0.0.1", 0)
    text = train.rendezvous or ":".join(_first(names, environment) for names in (_ADDRESS, _PORT))
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UserError(
            f"train.nodes={train.nodes} needs the address of the main node, as host:port.",
            "Set train.rendezvous, or MASTER_ADDR and MASTER_PORT.",
        )
    tasks, machines = _tasks_of_slurm(environment)
    node = _first(_NODE, environment) or "0"
    if tasks > machines and not _first(_NODE[:-1], environment):
        raise UserError(
            f"Slurm started {tasks} tasks on {machines} machines, and each machine needs one.",
            "Set --ntasks-per-node=1: train.devices are the processes of a machine.",
        )
    if not node.isdecimal() or int(node) >= train.nodes:
        raise UserError(
            f"NODE_RANK {node[:20]!r} is none of {train.nodes} machines.",
            f"They are counted from 0 to {train.nodes - 1}.",
        )
    return Place(int(node), host, int(port))


def runs_apart(train: TrainConfig, environment: Mapping[str, str] = os.environ) -> str:
    """Return a sentence where several tasks of Slurm would each train a run of their own.

    The first task returns it for all; otherwise it is empty.
    """
    tasks, machines = _tasks_of_slurm(environment)
    if train.machines > 1 or tasks == 1 or environment.get("SLURM_PROCID") != "0":
        return ""
    nodes = f", train.nodes={machines}" if machines > 1 else ""
    return (
        f"Slurm starts this command {tasks} times, and each trains a run of its own. For one run, "
        f"set --ntasks-per-node=1{nodes} and train.devices={-(-tasks // machines)}."
    )


def _tasks_of_slurm(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return the number of tasks in this step of Slurm, and of its machines; 1 outside of one."""
    counts = (environment.get(f"SLURM_STEP_NUM_{what}", "") for what in ("TASKS", "NODES"))
    tasks, machines = (int(count) if count.isdecimal() else 1 for count in counts)
    return tasks, machines


def _first(names: tuple[str, ...], environment: Mapping[str, str]) -> str:
    return next((environment[name] for name in names if environment.get(name)), "")


def check_main(place: Place) -> None:
    """Check that this is the main node, at an address that others can reach.

    Raises :class:`UserError`.
    """
    if place.node:
        raise UserError(
            f"This is machine {place.node + 1}: the run belongs to the main node.",
            "Join it from here with `dltui run`.",
        )
    try:
        address = ipaddress.ip_address(socket.gethostbyname(place.host))
    except (OSError, ValueError):
        return  # the process that listens there has a better message
    if address.is_loopback and not place.host.startswith(("localhost", "127.")):
        raise UserError(
            f"train.rendezvous: on this machine {place.host} is {address}, which no other reaches.",
            "Give its address in the network between the machines.",
        )
