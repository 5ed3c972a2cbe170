"""Events survive damage to their file."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from engine.runs.events import (
    KINDS,
    EventLog,
    Failed,
    Log,
    Progress,
    decode,
    encode,
    finite,
    finite_all,
)
from engine.runs.follower import Follower


def log(message: str) -> Log:
    return Log(time=1.0, level="info", message=message)


def read(path: Path) -> list[object]:
    return list(Follower(path).new())


def test_an_event_comes_back_as_it_was() -> None:
    event = Progress(
        time=2.5, step=3, steps=9, epoch=0.5, epochs=2, loss=None, learning_rate=1e-3
    )  # fmt: skip
    assert decode(encode(event)) == event


def test_an_event_is_one_line_whatever_its_text() -> None:
    event = log("a\nb\u2028c\x1b[31m\x00\ud800")
    assert "\n" not in encode(event)
    assert decode(encode(event).encode()) == event


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"5", b"null", b'{"event":"later"}', b'{"event":5}', b'{"event":["log"]}',
     b'{"event":"log"}', b"\xff\xfe", b'{"time":1}', b"{}" * 3],
)  # fmt: skip
def test_a_line_that_says_nothing_known_is_passed_over(line: bytes) -> None:
    assert decode(line) is None


def test_fields_of_a_later_version_are_passed_over() -> None:
    assert decode('{"event":"log","time":1.0,"level":"info","message":"x","new":1}') == log("x")


def test_numbers_that_json_has_not_are_refused_and_have_a_stand_in() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(Log(time=float("nan"), level="info", message=""))
    assert finite(float("inf")) is None
    assert finite_all({"a": 1.0, "b": float("nan")}) == {"a": 1.0, "b": None}


def test_kinds_are_known_by_their_own_names() -> None:
    assert len(KINDS) >= 14
    assert all(kind.kind == name for name, kind in KINDS.items())


def test_a_torn_last_line_does_not_spoil_the_next_event(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(encode(log("whole")) + '\n{"event":"log","ti')
    with EventLog(path) as events:
        events.write(log("after"))
        events.write(log("more"))
    assert read(path) == [log("whole"), log("after"), log("more")]


def test_a_line_that_another_process_left_torn_does_not_spoil_the_next_event(
    tmp_path: Path,
) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as supervisor:
        supervisor.write(log("whole"))
        with path.open("a") as main:
            main.write('{"event":"progress","ti')  # its disk was full
        supervisor.write(log("after"))
    assert read(path) == [log("whole"), log("after")]


def test_two_processes_that_write_to_a_file_each_keep_room_for_their_last_event(
    tmp_path: Path,
) -> None:
    path, other = tmp_path / "events.jsonl", tmp_path / ".0.reserve"
    with EventLog(path):
        with EventLog(path, other):
            assert other.stat().st_size > 0
        assert not other.exists()
        assert (tmp_path / ".events.jsonl.reserve").stat().st_size > 0
    assert [each.name for each in tmp_path.iterdir()] == ["events.jsonl"]


def test_what_is_written_is_for_the_owner_alone(tmp_path: Path) -> None:
    EventLog(tmp_path / "events.jsonl").close()
    assert (tmp_path / "events.jsonl").stat().st_mode & 0o777 == 0o600


def test_events_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as events:

        def work(name: int) -> None:
            for number in range(100):
                events.write(log(f"{name} {number} " + "x" * 500))

        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(read(path)) == 400
    assert len(path.read_text().splitlines()) == 400


def test_a_follower_gives_each_event_once_and_only_whole_ones(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    follower = Follower(path)
    assert list(follower.new()) == []
    line = encode(log("first")) + "\n"
    with path.open("w") as file:
        file.write(line[:10])
        file.flush()
        assert list(follower.new()) == []
        file.write(line[10:] + encode(log("second")))
        file.flush()
        assert list(follower.new()) == [log("first")]
        file.write("\n" + encode(Failed(time=1.0, message="x")) + "\n")
    assert list(follower.new()) == [log("second"), Failed(time=1.0, message="x")]
    assert list(follower.new()) == []
