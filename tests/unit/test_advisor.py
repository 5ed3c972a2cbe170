"""Requests to the helper process: answered, refused, superseded, and after a crash."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.errors import ConfigError, UserError
from engine.service.client import Advisor, AdvisorError, Superseded

IRIS: dict[str, Any] = {
    "name": "iris",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "iris"},
    "model": {"kind": "mlp"},
}


@pytest.fixture(scope="module")
def advisor() -> Iterator[Advisor]:
    with Advisor() as made:
        yield made


def child(advisor: Advisor) -> psutil.Process:
    process = advisor._process
    assert process is not None
    return psutil.Process(process.pid)


def from_file(path: Path) -> dict[str, Any]:
    return IRIS | {"data": {"kind": "file", "path": str(path)}}


def test_a_preview_has_rows_columns_and_a_summary(advisor: Advisor) -> None:
    answer = advisor.ask("preview", values=IRIS, rows=3)
    assert answer["summary"]["rows"]["train"] > 100
    assert "species" in answer["columns"]
    assert len(answer["rows"]) == 3
    assert all(len(row) == len(answer["columns"]) for row in answer["rows"])
    assert all(isinstance(cell, str) for row in answer["rows"] for cell in row)


@pytest.mark.parametrize(
    ("task", "data", "model"),
    [
        ("tabular_classification", "iris", "mlp"),
        ("tabular_regression", "diabetes", "mlp"),
        ("forecasting", "seasons", "dlinear"),
        ("image_classification", "digits", "cnn"),
    ],
)
def test_a_preview_does_not_wait_for_torch(
    advisor: Advisor, task: str, data: str, model: str
) -> None:
    sections = {"task": task, "model": model}
    values = {"data": {"kind": "builtin", "name": data}}
    values |= {name: {"kind": kind} for name, kind in sections.items()}
    assert advisor.ask("preview", values=values)["summary"] is not None
    assert not any("libtorch" in mapped.path for mapped in child(advisor).memory_maps())


def test_wrong_values_come_back_as_problems_of_their_fields(advisor: Advisor) -> None:
    with pytest.raises(ConfigError) as caught:
        advisor.ask("preview", values=IRIS | {"train": {"epochs": 0}})
    assert [problem.field for problem in caught.value.problems] == ["train.epochs"]


def test_data_that_is_not_there_comes_back_as_a_sentence(advisor: Advisor) -> None:
    with pytest.raises(UserError, match="nowhere") as caught:
        advisor.ask("preview", values=from_file(Path("/nowhere.csv")))
    assert not isinstance(caught.value, AdvisorError)


def test_a_defect_is_reported_and_the_process_continues(advisor: Advisor) -> None:
    advisor.ask("preview", values=IRIS)
    before = child(advisor).pid
    with pytest.raises(AdvisorError, match="Internal error"):
        advisor.ask("no such question")
    assert advisor.ask("preview", values=IRIS)["rows"]
    assert child(advisor).pid == before


def test_a_file_that_was_changed_is_read_again(advisor: Advisor, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    for count in (30, 60):
        path.write_text("x,label\n" + "\n".join(f"{i},{'ab'[i % 2]}" for i in range(count)))
        answer = advisor.ask("preview", values=from_file(path))
        assert sum(answer["summary"]["rows"].values()) == count


def test_a_process_that_exited_is_started_again(advisor: Advisor) -> None:
    advisor.ask("preview", values=IRIS)
    process = child(advisor)
    process.kill()
    psutil.wait_procs([process])
    assert advisor.ask("preview", values=IRIS)["rows"]
    assert child(advisor).pid != process.pid


def test_a_process_that_crashes_on_a_question_is_reported(
    advisor: Advisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    advisor.ask("preview", values=IRIS)
    process = child(advisor)
    process.suspend()
    threading.Timer(0.2, process.kill).start()
    with pytest.raises(AdvisorError, match=r"ended .*-9"):
        advisor.ask("preview", values=IRIS)


def test_a_question_that_waits_gives_way_to_a_newer_one_of_its_kind(
    advisor: Advisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    advisor.ask("preview", values=IRIS)
    process = child(advisor)
    process.suspend()
    asked, sent = threading.Semaphore(0), threading.Event()
    number, exchange = advisor._number, advisor._exchange

    def numbered(question: str) -> int:
        made = number(question)
        asked.release()
        return made

    def exchanged(line: bytes, made: int) -> dict[str, Any]:
        sent.set()
        return exchange(line, made)

    monkeypatch.setattr(advisor, "_number", numbered)
    monkeypatch.setattr(advisor, "_exchange", exchanged)
    outcomes: dict[int, object] = {}

    def ask(rows: int) -> None:
        try:
            outcomes[rows] = len(advisor.ask("preview", values=IRIS, rows=rows)["rows"])
        except Superseded as error:
            outcomes[rows] = error

    threads = [threading.Thread(target=ask, args=(rows,)) for rows in range(1, 5)]
    for thread in threads:
        thread.start()
        asked.acquire()
        sent.wait()  # the first request is sent, the others are pending
    process.resume()
    for thread in threads:
        thread.join()
    assert (outcomes[1], outcomes[4]) == (1, 4)
    assert isinstance(outcomes[2], Superseded)
    assert isinstance(outcomes[3], Superseded)


def test_the_process_ends_with_the_one_who_asked() -> None:
    advisor = Advisor()
    advisor.ask("preview", values=IRIS)
    process = child(advisor)
    assert advisor._process is not None
    assert advisor._process.stdin is not None
    advisor._process.stdin.close()
    advisor._process.wait()
    assert not process.is_running()


def test_a_closed_advisor_answers_nothing_more() -> None:
    advisor = Advisor()
    advisor.ask("preview", values=IRIS)
    process = child(advisor)
    advisor.close()
    assert not process.is_running()
    with pytest.raises(AdvisorError, match="ending"):
        advisor.ask("preview", values=IRIS)
