"""``dltui --stdio``: what it tells of the runs of its machine, and what it does."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.processes.identity import ProcessIdentity
from engine.remote import new_events, server
from engine.remote import rows as row_news
from engine.remote.messages import (
    LONGEST_LINE,
    PROTOCOL,
    Answer,
    Current,
    Done,
    Events,
    File,
    FileList,
    Message,
    Part,
    Ping,
    Row,
    Rows,
    read_answer,
)
from engine.remote.new_events import BYTES_A_SECOND, NewEvents
from engine.remote.server import Session
from engine.runs.annotations import Annotations, read_annotations
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import (
    EventLog,
    Finished,
    Log,
    Progress,
    SamplePictures,
    Samples,
    Started,
    encode,
)
from engine.runs.follower import Follower
from engine.runs.status import State
from engine.runs.trash import trash_folder

T = TypeVar("T")


def make_run(name: str = "digits") -> RunDirectory:
    values: dict[str, Any] = {
        "name": name,
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin"},
        "model": {"kind": "cnn"},
    }
    return RunDirectory.create(runs_folder(), RunConfig.parse(values))


def progress(step: int, loss: float = 1.0) -> Progress:
    return Progress(step=step, steps=10**6, epoch=0.1, epochs=4, loss=loss, learning_rate=1e-3)


@pytest.fixture
def write(home: Path) -> Iterator[Any]:
    logs: list[EventLog] = []

    def write_all(run: RunDirectory, *events: Any) -> None:
        log = EventLog(run.events.path)
        logs.append(log)
        for event in events:
            log.write(event)

    yield write_all
    for log in logs:
        log.close()


def ask(session: Session, **request: Any) -> list[Answer]:
    return list(session.take(json.dumps(request).encode() + b"\n"))


def follow(session: Session, run: RunDirectory, **known: Any) -> list[Answer]:
    ask(session, type="follow", runs=[{"run": run.id, **known}])
    return list(session.tick())


def some(answers: list[Answer], kind: type[T]) -> list[T]:
    return [answer for answer in answers if isinstance(answer, kind)]


def rows(session: Session, monkeypatch: pytest.MonkeyPatch) -> dict[str, Row]:
    monkeypatch.setattr(session, "_rows_due", 0.0)
    return {row.name: row for part in some(list(session.tick()), Rows) for row in part.rows}


def test_only_changed_runs_are_listed_again(write, monkeypatch) -> None:
    first, second = make_run("first"), make_run("second")
    write(first, Started(device="cpu", precision="float32", threads=1))
    session = Session()
    listed = rows(session, monkeypatch)
    assert set(listed) == {"first", "second"}
    assert listed["second"].state is State.QUEUED
    assert rows(session, monkeypatch) == {}
    write(first, Finished(step=1, seconds=1.0, metrics={"accuracy": 0.5}))
    assert rows(session, monkeypatch)["first"].metrics == {"accuracy": 0.5}
    second.delete()
    monkeypatch.setattr(session, "_rows_due", 0.0)
    assert [part.gone for part in some(list(session.tick()), Rows)] == [(second.id,)]


def test_the_worker_of_a_run_without_changes_is_not_read_again(write, monkeypatch) -> None:
    run = make_run()
    run.status.set_worker(ProcessIdentity.own())
    write(run, Finished(step=1, seconds=1.0, time=time.time() + 1))
    session, read = Session(), []
    noted = rows(session, monkeypatch)["digits"].noted
    assert noted is not None
    original = row_news.plain_paths.read
    monkeypatch.setattr(
        row_news.plain_paths, "read", lambda *each: read.append(each[0]) or original(*each)
    )
    assert rows(session, monkeypatch) == {}
    assert not [path for path in read if path.endswith("worker.json")]
    run.status.set_worker(ProcessIdentity.own())
    assert rows(session, monkeypatch)["digits"].noted != noted


def test_a_run_that_ended_before_the_clock_was_set_is_sent_as_ended(write, monkeypatch) -> None:
    run = make_run()
    run.status.set_worker(ProcessIdentity.own())
    ended = Finished(step=1, seconds=1.0, time=time.time() - 3600)
    write(run, ended)
    row = rows(Session(), monkeypatch)["digits"]
    assert (row.state, row.noted) == (State.FINISHED, ended.time)


def test_a_followed_run_is_sent_whole_and_then_only_what_is_new(write) -> None:
    run, session = make_run(), Session()
    write(run, Started(device="cpu", precision="float32", threads=1), progress(1))
    first = follow(session, run, whole=True)
    assert [file.name for file in some(first, File)] == ["config.toml"]
    (events,) = some(first, Events)
    assert events.data.encode() == run.events.path.read_bytes()
    assert events.position == run.events.path.stat().st_size
    assert some(first, Current)
    assert not some(list(session.tick()), Events)
    write(run, progress(2))
    (news,) = some(list(session.tick()), Events)
    assert news.start == events.position
    assert json.loads(news.data)["step"] == 2


def test_what_the_terminal_has_is_not_sent_again(write) -> None:
    run = make_run()
    write(run, progress(1))
    first = follow(Session(), run)
    stamps = {file.name: file.stamp for file in some(first, File)}
    position = some(first, Events)[0].position
    again = follow(Session(), run, position=position, stamps=stamps)
    assert not some(again, File)
    assert not some(again, Events)
    assert some(again, Current)


def test_a_run_of_hours_is_sent_downsampled_in_parts_that_have_an_end(write) -> None:
    run = make_run()
    write(run, Started(device="cpu", precision="float32", threads=1))
    with run.events.path.open("a") as file:
        file.write((encode(progress(1)) + "\n") * 20_000)
    write(run, Finished(step=9, seconds=1.0))
    parts = some(follow(Session(), run), Events)
    assert len(parts) > 1
    assert [part.more for part in parts] == [True] * (len(parts) - 1) + [False]
    assert all(len(part.line()) < LONGEST_LINE for part in parts)
    lines = "".join(part.data for part in parts).splitlines()
    assert len(lines) < 9000
    assert '"started"' in lines[0]
    assert '"finished"' in lines[-1]
    assert parts[0].position == run.events.path.stat().st_size


def test_an_event_longer_than_a_message_comes_in_parts(write) -> None:
    run = make_run()
    picture = {"pixels": '"' * (2 * LONGEST_LINE)}
    write(run, SamplePictures(pictures=[picture]))
    parts = some(follow(Session(), run), Events)
    assert all(len(part.line()) < LONGEST_LINE for part in parts)
    assert "".join(part.data for part in parts).encode() == run.events.path.read_bytes()


def test_a_followed_run_has_its_bytes_a_second_on_average(write, monkeypatch) -> None:
    run, now = make_run(), [100.0]
    monkeypatch.setattr(new_events.time, "monotonic", lambda: now[0])
    write(run, progress(0))
    news = NewEvents(run.id, run.events.path, 0)
    list(news.read())
    samples = encode(Samples(step=1, split="validation", items=[{"x": "y" * 8000}]))
    sent, seconds = 0, 600
    for step in range(seconds):
        now[0] += 1.0
        with run.events.path.open("a") as file:
            file.write(f"{encode(progress(step))}\n" * 8 + samples + "\n")
        sent += sum(len(part.data) for part in news.read())
    assert run.events.path.stat().st_size > 3 * BYTES_A_SECOND * seconds
    assert BYTES_A_SECOND * 0.9 * seconds < sent < BYTES_A_SECOND * (seconds + 70)


def test_surplus_progress_is_left_out_before_anything_else(write, monkeypatch) -> None:
    run = make_run()
    write(run, progress(0))
    news = NewEvents(run.id, run.events.path, 0)
    list(news.read())
    write(run, *(progress(step) for step in range(1, 1000)), Log(level="info", message="here"))
    (part,) = news.read()
    kinds = [json.loads(line)["event"] for line in part.data.splitlines()]
    assert kinds == ["progress", "log"]


def test_the_log_is_sent_from_its_end_and_rarely(monkeypatch) -> None:
    run, session = make_run(), Session()
    run.log.write_text("first line\n" + "x" * 79 + "\n" * 10_000)
    (log,) = [file for file in some(follow(session, run, whole=True), File) if "log" in file.name]
    assert len(log.data) < 9000
    assert "first line" not in log.data
    run.log.write_text("more\n")
    assert not some(list(session.tick()), File)


def test_a_request_is_put_to_the_run_as_on_this_machine() -> None:
    run, session = make_run(), Session()
    (done,) = ask(session, type="control", number=4, run=run.id, action="epochs", value=9)
    assert done == Done(number=4)
    (request,) = run.requests.take()
    assert (request.action, request.arguments) == ("epochs", {"value": 9})


def test_annotations_and_the_trash_are_those_of_the_host() -> None:
    run, session = make_run(), Session()
    ask(session, type="annotate", number=1, run=run.id, tags=["a"], note="n", pinned=True)
    assert read_annotations(run) == Annotations(("a",), "n", True)
    ask(session, type="discard", number=2, run=run.id)
    assert [each.id for each in all_runs(trash_folder(runs_folder()))] == [run.id]


def test_what_cannot_be_done_is_answered_with_the_reason() -> None:
    run, session = make_run(), Session()
    run.status.set_worker(ProcessIdentity.own())
    (running,) = some(ask(session, type="discard", number=1, run=run.id), Done)
    assert "still running" in running.problem
    (gone,) = some(ask(session, type="resume", number=2, run="other"), Done)
    assert "no run other" in gone.problem
    broken = 'name = "x"\n[task]\nkind = "image_classification"\n[train]\nepochs = -1\n'
    (config,) = some(ask(session, type="launch", number=3, config=broken), Done)
    assert "epochs" in config.problem
    assert len(all_runs(runs_folder())) == 1


def test_a_link_to_another_folder_is_no_run(tmp_path: Path) -> None:
    run, session = make_run(), Session()
    run.path.rename(tmp_path / "elsewhere")
    (runs_folder() / "linked").symlink_to(tmp_path / "elsewhere")
    (answer,) = some(ask(session, type="list", number=1, run="linked"), Done)
    assert "no run" in answer.problem
    ask(session, type="follow", runs=[{"run": "linked"}])
    assert not some(list(session.tick()), File)


def test_the_files_of_a_run_are_listed_without_links_and_read_by_parts(tmp_path: Path) -> None:
    run, session = make_run(), Session()
    (run.model / "tokens").mkdir(parents=True)
    (run.model / "tokens" / "a.json").write_text("{}")
    (run.model / "stolen").symlink_to("/etc/passwd")
    (run.checkpoints / "step-1").write_text("not sent")
    (listed,) = some(ask(session, type="list", number=1, run=run.id), FileList)
    assert [entry.path for entry in listed.files] == ["config.toml", "model/tokens/a.json"]
    path = "model/tokens/a.json"
    (part,) = some(ask(session, type="read", number=2, run=run.id, path=path, offset=1), Part)
    assert base64.b64decode(part.data) == b"}"
    for path in ("model/stolen", "../secret", "/etc/passwd", "checkpoints/step-1", "lock"):
        (refused,) = ask(session, type="read", number=3, run=run.id, path=path, offset=0)
        assert isinstance(refused, Done)
        assert "has no file" in refused.problem


def test_something_else_than_a_request_ends_the_session_with_a_sentence() -> None:
    with pytest.raises(UserError, match="protocol 3"):
        ask(Session(), type="shell", command="rm")


def test_a_terminal_that_is_silent_is_given_up(monkeypatch) -> None:
    session, now = Session(), time.monotonic()
    assert not session.silent
    monkeypatch.setattr(server.time, "monotonic", lambda: now + 61)
    assert session.silent
    ask(session, type="ping")
    assert not session.silent


def test_the_program_greets_answers_and_ends_with_its_input(home: Path) -> None:
    run = make_run()
    environment = os.environ | {"PYTHONPROFILEIMPORTTIME": ""}
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "tui", "--stdio"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
    )  # fmt: skip
    out, err = process.communicate(Ping().line() + stop(run).line(), timeout=240)
    answers = [read_answer(line) for line in out.splitlines()]
    assert getattr(answers[0], "protocol", 0) == PROTOCOL
    assert Done(number=1) in answers
    assert process.returncode == 0
    assert run.requests.waits("stop")
    for heavy in (b"torch", b"textual", b"numpy", b"pandas"):
        assert heavy + b"\n" not in err


def stop(run: RunDirectory) -> Message:
    from engine.remote.messages import Control

    return Control(number=1, run=run.id, action="stop")


def test_a_mirrored_history_is_that_of_the_host(write) -> None:
    run = make_run()
    events = [progress(step, 1.0 / step) for step in range(1, 50)]
    write(run, Started(device="cpu", precision="float32", threads=1), *events)
    data = "".join(part.data for part in some(follow(Session(), run), Events))
    copy = run.path / "copy.jsonl"
    copy.write_text(data)
    assert list(Follower(copy).new()) == list(Follower(run.events.path).new())
