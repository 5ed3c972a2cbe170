"""Messages between a terminal and a host: only those of the protocol pass."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.remote.lines import LineBuffer
from engine.remote.messages import (
    PROTOCOL,
    Control,
    Follow,
    Followed,
    Hello,
    ProtocolError,
    Row,
    Rows,
    read_answer,
    read_request,
)
from engine.runs.status import State

ROW: dict[str, Any] = {
    "run": "20260101-000000-a",
    "name": "a",
    "state": "running",
    "started": 1.0,
    "seconds": 2,
}


def test_a_message_comes_back_as_it_was_sent() -> None:
    known = Followed(run="a", position=7, stamps={"config.toml": "1-2"}, whole=True)
    follow, control = Follow(runs=(known,)), Control(number=1, run="a", action="epochs", value=3)
    assert read_request(follow.line()) == follow
    assert read_request(control.line()) == control
    assert isinstance(read_request(control.line()).value, int)  # type: ignore[union-attr]
    row = Row(run="a", name="[red]x\x1b[2J", state=State.LOST, started=1.0, seconds=2.0)
    assert read_answer(Rows(rows=(row,), gone=("b",)).line()) == Rows(rows=(row,), gone=("b",))


@pytest.mark.parametrize(
    "run", ["../other", "..", "a/b", "/etc/passwd", "", "A", "a\n", "a" * 65, ".hidden", "a\\b", 3]
)
def test_an_id_that_could_be_a_path_is_no_message(run: object) -> None:
    stop = {"type": "control", "number": 1, "run": run, "action": "stop"}
    with pytest.raises(ProtocolError):
        read_request(json.dumps(stop).encode())
    with pytest.raises(ProtocolError):
        read_answer(json.dumps({"type": "rows", "rows": [ROW | {"run": run}]}).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"state": "exploded"},
        {"started": 1e300},
        {"done": 1e9},
        {"seconds": "2"},
        {"metrics": {"loss": "0.1"}},
        {"metrics": {"loss": float("nan")}},
        {"name": "x" * 301},
        {"tags": ["x"] * 21},
        {"unknown": 1},
        {"pinned": 1},
    ],
)
def test_a_value_of_another_kind_is_no_message(change: dict[str, object]) -> None:
    assert read_answer(json.dumps({"type": "rows", "rows": [ROW]}).encode())
    with pytest.raises(ProtocolError):
        read_answer(json.dumps({"type": "rows", "rows": [ROW | change]}).encode())


@pytest.mark.parametrize(
    "line", [b"", b"{", b"null", b"[]", b'{"type":"shell","run":"a"}', b"\xff\xfe", b"[" * 100_000]
)
def test_a_line_that_is_something_else_is_no_message(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_request(line)
    with pytest.raises(ProtocolError):
        read_answer(line)


def test_a_file_of_another_name_is_no_message() -> None:
    file = {"type": "file", "run": "a", "name": "config.toml", "stamp": "1", "data": ""}
    assert read_answer(json.dumps(file).encode())
    for name in ("../../.bashrc", "lock", "model/x", "worker.json"):
        with pytest.raises(ProtocolError):
            read_answer(json.dumps(file | {"name": name}).encode())


def test_a_greeting_of_a_later_version_can_be_read() -> None:
    later = {"type": "hello", "protocol": PROTOCOL + 1, "version": "9.0", "new": [1]}
    hello = read_answer(json.dumps(later).encode())
    assert isinstance(hello, Hello)
    assert (hello.protocol, hello.version) == (PROTOCOL + 1, "9.0")


def test_lines_come_whole_however_they_arrive() -> None:
    buffer = LineBuffer()
    data = b"one\ntwo\n\nthree"
    assert [line for byte in data for line in buffer.take(bytes([byte]))] == [b"one", b"two", b""]
    assert list(buffer.take(b"\n")) == [b"three"]


def test_a_line_that_never_ends_is_refused_before_it_fills_the_memory() -> None:
    buffer = LineBuffer(longest=100)
    assert list(buffer.take(b"x" * 99 + b"\n")) == [b"x" * 99]
    assert list(buffer.take(b"x" * 90)) == []
    with pytest.raises(ProtocolError, match="longer"):
        list(buffer.take(b"x" * 10))
