"""The key-value store through which processes find each other, listening at one address only."""

from __future__ import annotations

import socket
from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]

from engine.errors import TrainingError
from engine.training.checkpoints.peers import among_peers

_MEETING = timedelta(minutes=5)
"""Time-out for all processes to start."""


def listening_store(host: str, port: int, timeout: timedelta) -> TCPStore:
    """Return a store that listens at ``host`` alone; at any free port for 0.

    Raises :class:`TrainingError`.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # torch itself would listen at every address of the machine.
        with socket.create_server(address[:2], family=family) as listening:
            port = listening.getsockname()[1]
            handle = listening.detach()
    except OSError as error:
        raise TrainingError(
            f"train.rendezvous: cannot listen at {host}:{port}: {error.strerror}.",
            "Give an address of the main node, and a free port.",
        ) from error
    return TCPStore(
        str(address[0]), port, is_master=True, wait_for_workers=False,
        timeout=timeout, master_listen_fd=handle,
    )  # fmt: skip


def store_of_ranks(rank: int, host: str, port: int) -> TCPStore:
    """Return the store through which the processes of a group meet; rank 0 listens.

    Raises :class:`TrainingError` and :class:`~engine.training.checkpoints.peers.PeerLost`.
    """
    if rank == 0:
        return listening_store(host, port, _MEETING)
    with among_peers():
        return TCPStore(host, port, is_master=False, timeout=_MEETING)
