"""Connections of the processes that sum gradients through shared memory."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

import pytest

from engine.training.distributed.sums import _accepted, _connected, _listening

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
