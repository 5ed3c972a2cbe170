"""An unreachable hub causes no waiting; one that answers, even with an error, is used."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import constants

from engine import hub_reach
from engine.hub_reach import offline_where_unreachable


class Unwell(BaseHTTPRequestHandler):
    """A server that is reachable but unavailable."""

    asked = 0

    def do_HEAD(self) -> None:
        type(self).asked += 1
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Write no log."""


@pytest.fixture
def server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Unwell)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def unused_address() -> Iterator[str]:
    """An address without a server, which no other program gets meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def asked(endpoint: str, monkeypatch: pytest.MonkeyPatch, offline: bool = False) -> bool:
    """Whether the hub's library is set to stay offline."""
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    with offline_where_unreachable():
        told = constants.HF_HUB_OFFLINE
    assert constants.HF_HUB_OFFLINE is offline
    return told


def test_a_hub_that_does_not_answer_is_not_waited_for(
    unused_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(unused_address, monkeypatch)


def test_a_hub_that_answers_is_asked_and_looked_for_once(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Unwell.asked
    assert not asked(server, monkeypatch)
    assert not asked(server, monkeypatch)
    assert Unwell.asked == before + 1


def test_who_wants_to_stay_offline_asks_no_one(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Unwell.asked
    assert asked(server, monkeypatch, offline=True)
    assert Unwell.asked == before


def test_an_answer_does_not_hold_for_ever(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Unwell.asked
    asked(server, monkeypatch)
    monkeypatch.setattr(hub_reach, "_SECONDS", -1)
    asked(server, monkeypatch)
    assert Unwell.asked == before + 2
