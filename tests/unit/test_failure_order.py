"""The process that failed first, among those that it made fail."""

from __future__ import annotations

import signal

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from engine.launch.agent import first_of
from engine.launch.rank_files import DEFECT, PEER_LOST


def failed(rank: int, status: int, second: int = 10) -> ProcessFailure:
    failure = ProcessFailure(rank, 4000 + rank, status, "")
    failure.timestamp = second
    return failure


@pytest.mark.parametrize("second", [10, 11])
def test_a_process_that_torch_ended_is_not_the_first_to_fail(second: int) -> None:
    killed, ended = failed(1, -signal.SIGKILL), failed(0, -signal.SIGTERM, second)
    assert first_of({1: killed, 0: ended}) == (1, killed)


def test_the_earlier_failure_is_the_first_in_whatever_order_they_were_found() -> None:
    late, early = failed(0, -signal.SIGSEGV, 12), failed(1, DEFECT)
    assert first_of({0: late, 1: early}) == (1, early)


def test_a_process_that_lost_another_one_is_not_the_first_to_fail() -> None:
    lost, killed = failed(0, PEER_LOST), failed(1, -signal.SIGKILL)
    assert first_of({0: lost, 1: killed}) == (1, killed)


def test_where_only_processes_of_another_node_were_lost_none_here_was_the_first() -> None:
    lost, ended = failed(1, PEER_LOST), failed(0, -signal.SIGTERM)
    assert first_of({1: lost, 0: ended}) is None


def test_a_process_that_was_ended_from_outside_is_the_first_to_fail() -> None:
    ended, lost = failed(0, -signal.SIGTERM), failed(1, PEER_LOST)
    assert first_of({0: ended, 1: lost}) == (0, ended)
