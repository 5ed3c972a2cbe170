"""Connections of the processes that sum gradients through shared memory."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

import pytest
import torch

from engine.training.distributed.sums import SharedSums, _accepted, _connected, _listening

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="others sum by torch")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with _listening() as made:
        assert made is not None
        yield made


def test_a_process_that_is_killed_while_it_connects_leaves_no_file(
    listening: socket.socket,
) -> None:
    assert listening.getsockname().startswith(b"\0"), "not a name of a file"


def test_processes_of_one_user_connect(listening: socket.socket) -> None:
    (peer,) = _connected([listening.getsockname()]) or []
    with peer, _accepted(listening) as other:
        peer.send(b"x")
        assert other.recv(1) == b"x"


def test_a_process_of_another_user_is_refused(
    listening: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stranger,) = _connected([listening.getsockname()]) or []
    listening.settimeout(0.01)
    with stranger:
        monkeypatch.setattr(os, "geteuid", lambda: 4321)
        with pytest.raises(TimeoutError):
            _accepted(listening)
        assert stranger.recv(1) == b""
    assert _connected([listening.getsockname()]) is None


def test_a_process_that_cannot_be_reached_is_done_without() -> None:
    with _listening() as gone:
        assert gone is not None
        address = gone.getsockname()
    assert _connected([address]) is None


def test_a_process_sends_the_next_sums_before_another_has_read_those_before() -> None:
    memory = list(torch.zeros(2, 256, dtype=torch.uint8))
    mine, yours = socket.socketpair()
    for end in (mine, yours):
        end.settimeout(0.2)  # in place of waiting forever
    with mine, yours:
        one, other = SharedSums([mine], memory, 0), SharedSums([yours], memory, 1)
        numbers = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]).split(1)
        for first, second, third in (numbers[:3], numbers[3:]):  # both halves of the memory twice
            one.start(first)
            late = other.start(second)
            one.release()
            one.start(third)
            late.wait()
            other.release()
            other.start(last := torch.tensor([64.0]))
            for each in (one, other):
                each.release()
            assert torch.equal(first, second)
            assert torch.equal(third, last)
    assert [float(number) for number in numbers] == [3.0, 3.0, 68.0, 24.0, 24.0, 96.0]
