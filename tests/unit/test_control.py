"""Requests are carried out once, in order, and never in part."""

from __future__ import annotations

import threading
from pathlib import Path

from engine.runs.control import CHECKPOINT, STOP, Request, Requests


def test_requests_come_in_the_order_in_which_they_were_sent(tmp_path: Path) -> None:
    wanted = [Request(CHECKPOINT, {"number": number}) for number in range(20)]
    for request in wanted:
        Requests(tmp_path).send(request)
    assert list(Requests(tmp_path).take()) == wanted


def test_a_request_is_taken_once(tmp_path: Path) -> None:
    Requests(tmp_path).send(Request(STOP))
    assert list(Requests(tmp_path).take()) == [Request(STOP)]
    assert list(Requests(tmp_path).take()) == []
    assert list(tmp_path.iterdir()) == []


def test_of_several_who_take_one_gets_it(tmp_path: Path) -> None:
    for number in range(50):
        Requests(tmp_path).send(Request(STOP, {"number": number}))
    taken: list[Request] = []
    threads = [
        threading.Thread(target=lambda: taken.extend(Requests(tmp_path).take())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(request.arguments["number"] for request in taken) == list(range(50))


def test_what_is_no_request_is_removed_and_passed_over(tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text("{")
    (tmp_path / "2.json").write_bytes(b"\xff")
    (tmp_path / "3.json").write_text("[1]")
    (tmp_path / "4.json").write_text('{"action": 5}')
    Requests(tmp_path).send(Request(STOP))
    assert list(Requests(tmp_path).take()) == [Request(STOP)]
    assert list(tmp_path.iterdir()) == []


def test_a_request_that_is_being_written_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / ".5.json.abc.tmp").write_text('{"action": "stop"}')
    assert list(Requests(tmp_path).take()) == []


def test_a_folder_that_is_not_there_has_no_requests(tmp_path: Path) -> None:
    assert list(Requests(tmp_path / "nowhere").take()) == []
