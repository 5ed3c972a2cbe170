"""A training process exits when no agent supervises it any more."""

from __future__ import annotations

import os

import pytest

from engine.launch import rank_worker
from engine.launch.rank_files import PEER_LOST
from engine.launch.rank_worker import end_with


class Exited(Exception):
    """In place of the end of this process."""


def test_a_process_whose_agent_was_killed_before_it_looked_exits_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave(status: int) -> None:
        raise Exited(status)

    monkeypatch.setattr(rank_worker.os, "_exit", leave)
    agent = os.getpid()  # not the parent of this process, but of one that init has taken over
    with pytest.raises(Exited) as exited:
        end_with(agent)
    assert exited.value.args == (PEER_LOST,)
