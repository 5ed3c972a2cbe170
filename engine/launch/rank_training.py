"""The training of one process of several, with everything that it imports."""

from __future__ import annotations

import contextlib
import os
import traceback

from engine.launch.attempt import correctable, failure
from engine.launch.error_file import record_time
from engine.launch.rank import Rank
from engine.launch.rank_files import DEFECT, MENDABLE, PEER_LOST
from engine.processes.signals import Termination
from engine.runs.events import Event, EventLog
from engine.runs.session import RunSession
from engine.training.checkpoints.peers import lost_a_peer
from engine.training.checkpoints.store import store_of_ranks
from engine.training.run import train_beside


def train_rank(rank: Rank, events: EventLog, termination: Termination) -> tuple[int, Event | None]:
    """Train with the other processes; returns exit status and final event."""
    try:
        session = RunSession(rank.run, rank.run.config.read(), events, termination)
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        store = store_of_ranks(rank.number, host, port)
        return 0, train_beside(session, rank.number, rank.size, rank.local, store)
    except Exception as error:  # noqa: BLE001 — reported in the last event and the log
        known = correctable(rank.run, error)
        if known is not None:
            record_time(error)
            return MENDABLE, failure(rank.run, known)
        with contextlib.suppress(OSError):  # its disk may be full
            traceback.print_exc()
        if lost_a_peer(error):
            return PEER_LOST, None
        record_time(error)
        return DEFECT, failure(rank.run, error)
