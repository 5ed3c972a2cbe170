"""The mirror of one run: what is kept of its files and events, and what is asked for again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.remote.messages import Events, File, FileName, Row
from engine.runs.events import Log, encode
from engine.runs.origin import left_on_host
from engine.runs.status import State
from tui.hosts import mirrored_run as module
from tui.hosts.mirror import Mirror
from tui.hosts.mirrored_run import MirroredRun

ID = "20260101-000000-a"


@pytest.fixture
def folder(home: Path) -> Path:
    """The folder of a mirrored run."""
    return Mirror("gpu1").directory(ID).path


@pytest.fixture
def run(folder: Path) -> MirroredRun:
    run = MirroredRun(folder)
    run.open(None)
    return run


def a_file(data: str, name: FileName = "log.txt", stamp: str = "1", **more: Any) -> File:
    return File(run=ID, name=name, stamp=stamp, data=data, **more)


def line(message: str) -> str:
    return encode(Log(time=1.0, level="info", message=message)) + "\n"


def events(data: str, start: int, **more: Any) -> Events:
    position = start + len(data.encode())
    return Events(run=ID, start=start, position=position, data=data, **more)


def row(state: State, noted: float | None = 5.0) -> Row:
    return Row(run=ID, name="a", state=state, started=1.0, seconds=2.0, noted=noted)


def test_a_file_is_there_once_its_last_part_has_come(run: MirroredRun, folder: Path) -> None:
    assert run.take_file(a_file("Grö", more=True))
    assert not (folder / "log.txt").exists()
    assert run.take_file(a_file("ße\n"))
    assert (folder / "log.txt").read_text() == "Größe\n"
    assert run.known(True).stamps == {"log.txt": "1"}


def test_parts_of_two_files_are_not_mixed(run: MirroredRun, folder: Path) -> None:
    run.take_file(a_file("a", more=True))
    run.take_file(a_file("name = ", "config.toml", more=True))
    run.take_file(a_file("b"))
    run.take_file(a_file('"x"', "config.toml", "2"))
    assert (folder / "log.txt").read_text() == "ab"
    assert (folder / "config.toml").read_text() == 'name = "x"'
    assert run.known(False).stamps == {"log.txt": "1", "config.toml": "2"}


def test_an_empty_file_is_a_file(run: MirroredRun, folder: Path) -> None:
    run.take_file(a_file(""))
    assert (folder / "log.txt").read_text() == ""


def test_line_ends_stay_as_they_are(run: MirroredRun, folder: Path) -> None:
    run.take_file(a_file("a\r\nb\rc\u2028d\n"))
    assert (folder / "log.txt").read_bytes() == "a\r\nb\rc\u2028d\n".encode()


def test_the_next_version_of_a_file_replaces_it(run: MirroredRun, folder: Path) -> None:
    run.take_file(a_file("long text"))
    run.take_file(a_file("b", stamp="2"))
    assert (folder / "log.txt").read_text() == "b"
    assert run.known(True).stamps == {"log.txt": "2"}


def test_a_file_that_is_too_large_is_left_out_with_its_size(folder: Path, run: MirroredRun) -> None:
    run.take_file(a_file("x"))
    run.take_file(a_file("", stamp="2", too_large=10**9))
    assert not (folder / "log.txt").exists()
    assert left_on_host(Mirror("gpu1").directory(ID)) == {"log.txt": 10**9}
    run.take_file(a_file("y", stamp="3"))
    assert left_on_host(Mirror("gpu1").directory(ID)) == {}
    assert (folder / "log.txt").read_text() == "y"


def test_a_file_that_cannot_be_read_is_not_asked_for_again(run: MirroredRun, folder: Path) -> None:
    """Its stamp is known, so that the host sends it only once it has changed."""
    assert not run.take_file(a_file("{", "report.json", "9"))
    assert not (folder / "report.json").exists()
    assert run.known(True).stamps == {"report.json": "9"}


def test_a_file_that_was_removed_here_is_asked_for_again(run: MirroredRun, folder: Path) -> None:
    run.take_file(a_file("x"))
    run.take_file(a_file("", "annotations.json", ""))
    (folder / "log.txt").unlink()
    assert MirroredRun(folder).known(True).stamps == {"annotations.json": ""}


def test_texts_beyond_all_measure_take_no_memory(
    run: MirroredRun, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a file ends where the limit is: nothing that follows is put behind a gap."""
    monkeypatch.setattr(module, "_MOST_PENDING", 10)
    for part in ("0123", "4567", "XXXX", "89"):
        run.take_file(a_file(part, more=True))
    run.take_file(a_file(""))
    assert (folder / "log.txt").read_text() == "01234567XX"


def test_events_with_letters_of_several_bytes_are_counted_in_bytes(
    run: MirroredRun, folder: Path
) -> None:
    first, second = (line(text).encode().decode() for text in ("Größe 🙂", "b"))
    assert run.take_events(events(first, 0))
    assert run.take_events(events(second, len(first.encode())))
    assert (folder / "events.jsonl").read_text() == first + second


def test_line_separators_of_unicode_do_not_end_an_event(run: MirroredRun, folder: Path) -> None:
    """JSON may have them in its strings as they are: RFC 8259, section 7."""
    text = '{"event":"log","time":1.0,"level":"info","message":"a\u2028b\u0085c"}\n'
    run.take_events(events(text, 0))
    assert run.dropped == 0
    assert (folder / "events.jsonl").read_text().count("\n") == 1


def test_events_behind_a_gap_are_refused(run: MirroredRun, folder: Path) -> None:
    run.take_events(events(line("a"), 0))
    known = run.known(True).position
    assert not run.take_events(events(line("c"), known + 10))
    assert run.known(True).position == known
    assert (folder / "events.jsonl").read_text() == line("a")


def test_events_that_begin_anew_replace_all(run: MirroredRun, folder: Path) -> None:
    run.take_events(events(line("a") + line("b"), 0))
    assert run.take_events(events(line("c"), 0, begin=True))
    assert (folder / "events.jsonl").read_text() == line("c")
    assert run.known(True).position == len(line("c"))


def test_positions_count_events_that_were_left_out(run: MirroredRun, folder: Path) -> None:
    """The host counts its own bytes; here are fewer."""
    text = "not JSON\n" + line("a")
    run.take_events(events(text, 0))
    run.take_events(events(line("b"), len(text)))
    assert run.dropped == 1
    assert (folder / "events.jsonl").read_text() == line("a") + line("b")
    assert MirroredRun(folder).known(True).position == len(text) + len(line("b"))


def test_what_was_written_by_half_is_overwritten(run: MirroredRun, folder: Path) -> None:
    """A program that is killed may have appended events without noting them."""
    run.take_events(events(line("a"), 0))
    with (folder / "events.jsonl").open("a") as file:
        file.write(line("b")[:10])
    again = MirroredRun(folder)
    again.take_events(events(line("b"), again.known(True).position))
    assert (folder / "events.jsonl").read_text() == line("a") + line("b")


def test_events_that_were_cut_here_are_asked_for_from_the_start(
    run: MirroredRun, folder: Path
) -> None:
    run.take_events(events(line("a"), 0))
    (folder / "events.jsonl").write_text("")
    assert MirroredRun(folder).known(True).position == 0


def test_a_run_of_which_nothing_came_is_asked_for_whole(folder: Path) -> None:
    known = MirroredRun(folder).known(False)
    assert (known.run, known.position, known.stamps, known.whole) == (ID, 0, {}, False)


@pytest.mark.parametrize(
    ("state", "noted", "shown"),
    [
        (State.RUNNING, 5.0, State.RUNNING),
        (State.LOST, 5.0, State.LOST),
        (State.QUEUED, 5.0, State.QUEUED),
        (State.RUNNING, None, State.QUEUED),
    ],
)
def test_the_state_is_derived_from_what_the_host_has_sent_last(
    run: MirroredRun, state: State, noted: float | None, shown: State
) -> None:
    run.write_state(row(State.RUNNING, 1.0))
    run.write_state(row(state, noted))
    assert Mirror("gpu1").directory(ID).status.state() is shown


def test_without_a_folder_for_requests_there_are_none(folder: Path) -> None:
    assert MirroredRun(folder).pending_requests() == []


def test_only_whole_files_are_requests(run: MirroredRun, folder: Path) -> None:
    control = folder / "control"
    control.mkdir(exist_ok=True)
    for name in ("2-b.json", "10-a.json", ".3.json", "4.tmp", "1-c.json"):
        (control / name).write_text("{}")
    assert [path.name for path in run.pending_requests()] == ["1-c.json", "10-a.json", "2-b.json"]
