"""The rendezvous of the nodes of a run: torch's, on a store that listens at one address only.

The main node keeps the store at ``train.rendezvous``. The others find the run's name there, so they
need only the same address and the shared folder of runs. torch has no authentication, so the
address should belong to a network that strangers cannot reach.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import timedelta

from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.distributed.elastic.rendezvous.c10d_rendezvous_backend import C10dRendezvousBackend
from torch.distributed.elastic.rendezvous.dynamic_rendezvous import (
    DynamicRendezvousHandler,
    RendezvousTimeout,
)

from engine.config.train import TrainConfig
from engine.launch.place import Place
from engine.training.checkpoints.store import listening_store

_RUN = "dltui/run"
_POLL_SECONDS = 0.5
_TIMEOUT = timedelta(seconds=60)
_ANY_TIME = timedelta(days=30)
"""Time-out for all nodes to join: the waiting node decides when it gives up."""
_LAST_CALL = timedelta(seconds=10)
"""Time for more nodes to join, once there are as many as must be."""


def hosted(place: Place, run_id: str) -> TCPStore:
    """Return the store of a run, on the main node. Raises :class:`TrainingError`."""
    store = listening_store(place.host, place.port, _TIMEOUT)
    store.set(_RUN, run_id)
    return store


def joined(place: Place, wanted: Callable[[], bool]) -> tuple[TCPStore, str] | None:
    """Wait for the main node; return its store and the name of its run.

    Returns ``None`` when ``wanted`` turns false.
    """
    while wanted():
        try:
            socket.create_connection((place.host, place.port), timeout=_POLL_SECONDS).close()
            store = TCPStore(
                place.host, place.port, is_master=False, wait_for_workers=False, timeout=_TIMEOUT
            )
            return store, store.get(_RUN).decode()
        except (OSError, RuntimeError):
            time.sleep(_POLL_SECONDS)
    return None


def rendezvous(
    place: Place, store: TCPStore, run_id: str, train: TrainConfig
) -> DynamicRendezvousHandler:
    """Return torch's rendezvous of the nodes of a run. The main node has rank 0 in each round."""
    # Ranks are in the order of names: addresses of the main node begin with a digit or colon, or
    # with a hexadecimal one. Only that of rank 0 serves as an address.
    name = place.address if place.node == 0 else f"node-{place.node:05}"
    handler: DynamicRendezvousHandler = DynamicRendezvousHandler.from_backend(
        run_id, store, C10dRendezvousBackend(store, run_id), train.fewest_machines,
        train.machines, name,
        RendezvousTimeout(_ANY_TIME, _LAST_CALL),
    )  # fmt: skip
    return handler
