"""The mirror of a host's runs: run directories that screens read, whatever the host sends."""

from __future__ import annotations

import json
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from engine.errors import RunError
from engine.launch.start import start
from engine.remote.messages import Done, Events, File, ProtocolError, Row, Rows, read_answer
from engine.remote.run_files import allowed
from engine.reports.gallery import Gallery
from engine.reports.picture import Picture
from engine.reports.views import Lines, Matrix, Pictures, Shaded, Table, Texts, View
from engine.runs.control import Request
from engine.runs.events import Finished, Progress, encode
from engine.runs.filter import RunFilter
from engine.runs.follower import Follower
from engine.runs.gallery_file import GalleryFile
from engine.runs.origin import host_of, mirror_folder
from engine.runs.status import State
from engine.runs.trash import discard
from tui.hosts.checked_events import checked_event
from tui.hosts.checked_files import is_readable
from tui.hosts.mirror import Mirror
from tui.hosts.pending_requests import PendingRequests

ID = "20260101-000000-a"


def row(state: State = State.RUNNING, run: str = ID, **more: Any) -> Row:
    return Row(run=run, name="a", state=state, started=1.0, seconds=2.0, noted=5.0, **more)


def progress(step: int) -> str:
    event = Progress(
        time=step, steps=9, step=step, epoch=0.1, epochs=4, loss=1.0, learning_rate=1e-3
    )
    return encode(event) + "\n"


def events(data: str, start: int, **more: Any) -> Events:
    return Events(run=ID, start=start, position=start + len(data), data=data, **more)


@pytest.fixture
def mirror(home: Path) -> Mirror:
    mirror = Mirror("gpu1")
    mirror.take_rows(Rows(rows=(row(),), complete=True))
    mirror.open(ID)
    return mirror


def test_a_run_belongs_to_the_host_that_it_is_mirrored_from(mirror: Mirror) -> None:
    (summary,) = mirror.rows
    assert (summary.host, summary.key) == ("gpu1", f"gpu1/{ID}")
    assert host_of(summary.run) == "gpu1"
    assert RunFilter.parse("host:gpu").among(mirror.rows)
    assert not RunFilter.parse("host:other").among(mirror.rows)


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING, State.LOST])
def test_the_state_is_that_of_the_host_however_old_it_is(mirror: Mirror, state: State) -> None:
    mirror.take_rows(Rows(rows=(row(state),)))
    assert mirror.directory(ID).status.state() is state


def test_a_final_event_ends_a_run_and_a_later_worker_takes_over(mirror: Mirror) -> None:
    last = encode(Finished(step=1, seconds=1.0, time=time.time()))
    mirror.take_events(events(last + "\n", 0))
    run = mirror.directory(ID)
    assert run.status.state() is State.FINISHED
    mirror.take_rows(Rows(rows=(row().model_copy(update={"noted": time.time() + 1}),)))
    assert run.status.state() is State.RUNNING


def test_nothing_is_started_in_a_mirror_or_moved_out_of_it(mirror: Mirror) -> None:
    run = mirror.directory(ID)
    for change in (start, discard):
        with pytest.raises(RunError, match="is on gpu1"):
            change(run)
    assert run.path.is_dir()
    assert not run.log.exists()


def test_events_are_appended_once_however_often_they_come(mirror: Mirror) -> None:
    first, second = progress(1), progress(2)
    mirror.take_events(events(first, 0))
    mirror.take_events(events(second, len(first)))
    mirror.take_events(events(second, len(first)))
    mirror.take_events(events(progress(9), 10_000))
    path = mirror.directory(ID).events.path
    assert path.read_text() == first + second
    assert mirror.known(ID, True).position == len(first + second)


def test_parts_count_only_when_the_last_has_come(mirror: Mirror) -> None:
    text = progress(1)
    mirror.take_events(events(text[:20], 0, more=True))
    assert not mirror.directory(ID).events.path.exists()
    mirror.begin()  # the connection was cut
    assert mirror.known(ID, True).position == 0
    mirror.take_events(events(text[:20], 0, more=True))
    mirror.take_events(events(text[20:], 0))
    assert mirror.directory(ID).events.path.read_text() == text


def test_another_mirror_continues_where_the_last_one_was(mirror: Mirror) -> None:
    mirror.take_events(events(progress(1), 0))
    mirror.take_file(File(run=ID, name="config.toml", stamp="7", data='name = "a"'))
    mirror.save()
    again = Mirror("gpu1")
    assert [each.id for each in again.rows] == [ID]
    assert again.known(ID, True) == mirror.known(ID, True)
    # What was written without being noted is written anew.
    path = again.directory(ID).events.path
    path.write_text(path.read_text() + "torn")
    again.take_events(events(progress(2), len(progress(1))))
    assert path.read_text() == progress(1) + progress(2)


def test_a_damaged_note_means_that_nothing_is_known(mirror: Mirror) -> None:
    mirror.take_events(events(progress(1), 0))
    mirror.directory(ID).events.path.write_text("")
    assert Mirror("gpu1").known(ID, True).position == 0


def test_runs_that_are_gone_leave_the_list(mirror: Mirror) -> None:
    mirror.take_rows(Rows(rows=(row(run="b"),)))
    mirror.open("b")
    mirror.take_rows(Rows(gone=("b",)))
    assert [each.id for each in mirror.rows] == [ID]
    assert not mirror.directory("b").path.exists()
    mirror.begin()
    mirror.take_rows(Rows(rows=(row(run="c"),), complete=True))
    assert [each.id for each in mirror.rows] == ["c"]


@pytest.mark.parametrize(
    "line",
    [
        progress(1).replace('"step":1', '"step":"1; rm"'),
        progress(1).replace('"loss":1.0', '"loss":[1]'),
        progress(1).replace('"progress"', '"shell"'),
        progress(1).replace('"time":1', '"time":1e300'),
        progress(1).replace('"step":1', '"step":1' + "0" * 400),
        '{"event":["progress"]}',
        "[1]",
        "\x1b[2J",
        '{"event":"log","level":"info","message":7}',
        '{"event":"log","level":"info","message":NaN}',
    ],
)
def test_an_event_of_other_types_is_left_out_and_counted(mirror: Mirror, line: str) -> None:
    text = line.strip("\n") + "\n" + progress(2)
    mirror.take_events(events(text, 0))
    assert mirror.dropped == 1
    (kept,) = Follower(mirror.directory(ID).events.path).new()
    assert isinstance(kept, Progress)
    assert mirror.known(ID, True).position == len(text)


def test_an_event_cannot_make_lines_or_write_to_the_terminal() -> None:
    message = "a\nb\u2028c\x1b[2J"
    text = json.dumps({"event": "log", "level": "info", "message": message}, ensure_ascii=False)
    checked = checked_event(text)
    assert checked is not None
    assert checked.isascii()
    assert checked.isprintable()
    assert json.loads(checked)["message"] == message


def test_no_name_leads_out_of_a_run(mirror: Mirror, home: Path) -> None:
    before = {path for path in home.rglob("*") if "hosts" not in path.parts}
    for name in ("../x", "..", "/etc/passwd", "a/../../x"):
        line = {"type": "file", "run": name, "name": "config.toml", "stamp": "1", "data": "x"}
        with pytest.raises(ProtocolError):
            read_answer(json.dumps(line).encode())
    assert {path for path in home.rglob("*") if "hosts" not in path.parts} == before
    for path in ("../x", "model/../x", "model/./x", "model//x", "/etc/passwd", "model", "lock"):
        assert not allowed(path)
    assert not allowed("model/a\\b")
    assert not allowed("model/a\nb")
    assert allowed("model/tokens/a.json")


def test_a_file_that_a_host_no_longer_has_is_removed(mirror: Mirror) -> None:
    notes = mirror.directory(ID).annotations
    mirror.take_file(File(run=ID, name="annotations.json", stamp="7", data="{}"))
    assert notes.read_text() == "{}"
    mirror.take_file(File(run=ID, name="annotations.json", stamp="", data=""))
    assert not notes.exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("report.json", '{"metrics": 5}'),
        ("report.json", '{"metrics": {"test": {"loss": [1]}}}'),
        ("report.json", '{"views": [{"form": "table", "title": 7, "columns": [], "rows": []}]}'),
        ("report.json", "{"),
        ("evals.json", '{"tasks": {"a": {"run": {"acc": 1}}}}'),
        ("gallery.jsonl", '{"title": "x", "columns": 1, "rows": [], "lengths": [], "total": 0}'),
    ],
)
def test_a_file_that_a_screen_cannot_read_is_left_out(mirror: Mirror, name: Any, text: str) -> None:
    assert not mirror.take_file(File(run=ID, name=name, stamp="7", data=text))
    assert not (mirror.directory(ID).path / name).exists()


def test_reports_and_galleries_as_they_are_written_can_be_read(mirror: Mirror) -> None:
    picture = Picture(width=1, height=1, rgb="AAAA")
    views: list[View] = [
        Table("t", ["a", "b"], [["x", 1], [None, 2.5]]),
        Matrix("m", ["a"], [[1.0]]),
        Lines("l", [1.0], {"a": [None]}),
        Texts("x", [{"a": "b"}]),
        Pictures("p", [picture]),
        Shaded("s", [("a", 0.5)]),
    ]
    report = {
        "metric": "loss",
        "metrics": {"test": {"loss": 0.5, "accuracy": None}},
        "intervals": {"test": {"loss": [0.1, None]}},
        "base": {"split": "test", "metrics": {"loss": 1}, "forgetting": None},
        "baseline": {"name": "mean", "metrics": {"loss": 2.0}},
        "verdict": {"text": "Better.", "outcome": "better"},
        "views": [view.record() for view in views],
    }
    assert is_readable("report.json", json.dumps(report))
    file = GalleryFile(mirror.directory(ID).gallery.path)
    file.write(Gallery("Mistakes", ["a"], [["x"]], views[4:5], 1))
    assert is_readable("gallery.jsonl", file.path.read_text())
    assert is_readable("evals.json", '{"tasks": {"a": {"run": {"acc": {"value": 0.5}}}}}')


def test_requests_of_a_screen_are_found_in_their_order(mirror: Mirror) -> None:
    run = mirror.directory(ID)
    assert run.path.parent == mirror_folder("gpu1")
    for action in ("pause", "continue"):
        run.requests.send(Request(action))
    found = [json.loads(path.read_text())["action"] for path in mirror.pending_requests(ID)]
    assert found == ["pause", "continue"]


def test_a_request_is_sent_once_a_connection_until_the_host_confirms_it(mirror: Mirror) -> None:
    requests = PendingRequests(mirror, count(1), lambda text, error: None)
    mirror.directory(ID).requests.send(Request("epochs", {"value": 3}))
    (sent,) = requests.of([ID])
    assert (sent.action, sent.value) == ("epochs", 3)
    assert not list(requests.of([ID]))
    requests.lost()
    (again,) = requests.of([ID])
    requests.answered(Done(number=again.number))
    assert not mirror.pending_requests(ID)


def test_a_request_that_is_none_of_the_protocol_is_never_sent(mirror: Mirror) -> None:
    requests = PendingRequests(mirror, count(1), lambda text, error: None)
    folder = mirror.directory(ID).requests.path
    for place, text in enumerate(
        ('{"action": "shell"}', "{", '{"action": "epochs", "arguments": 3}')
    ):
        (folder / f"{place}.json").write_text(text)
    assert [each.value for each in requests.of([ID])] == [None]
