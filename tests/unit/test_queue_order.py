"""The order of the runs that wait, and what is in the queue's folder beside them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.config.presets import find_preset, load_preset
from engine.errors import RunError
from engine.files import atomic
from engine.files.paths import queue_folder
from engine.launch.start import Handle
from engine.processes.identity import ProcessIdentity
from engine.queue import entries, worker
from engine.runs.directory import RunDirectory
from engine.runs.events import EventLog, Finished

CONFIG = load_preset(find_preset("wine-mlp"))


def names() -> list[str]:
    return [entry.run.config.read().name for entry in entries.entries()]


def fill(wanted: str) -> dict[str, RunDirectory]:
    """A run for each letter, in their order."""
    return {name: entries.add(CONFIG.override([f"name={name}"])) for name in wanted}


def test_runs_are_moved_as_items_of_a_list() -> None:
    runs, expected, chance = fill("abcde"), list("abcde"), random.Random(0)
    for _ in range(60):
        name, step = chance.choice("abcde"), chance.randint(-5, 5)
        place = expected.index(name)
        if 0 <= place + step < len(expected):
            expected[place], expected[place + step] = expected[place + step], expected[place]
        entries.move(runs[name].id, step)
        assert names() == expected
    entries.move("unknown", 1)
    assert names() == expected


@pytest.mark.parametrize("done", range(3))
def test_a_process_that_is_killed_while_it_moves_a_run_loses_none(
    monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    runs, rename, count = fill("abcd"), Path.rename, iter(range(9))

    def killed(path: Path, target: Path) -> Path:
        if next(count) == done:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            entries.move(runs["b"].id, 1)
    assert "".join(names()) == ("acbd" if done else "abcd")
    entries.move(runs["d"].id, -3)
    assert names()[0] == "d"
    assert sorted(names()) == list("abcd")


def test_a_moved_run_keeps_its_starts_and_its_device() -> None:
    runs = fill("ab")
    replace(entries.entries()[0], starts=2, device="3").write()
    entries.move(runs["a"].id, 1)
    first, second = entries.entries()
    assert (first.run.id, first.starts, first.device) == (runs["b"].id, 0, "")
    assert (second.run.id, second.starts, second.device) == (runs["a"].id, 2, "3")


def test_a_run_leaves_the_queue_by_its_id_or_by_what_it_alone_begins_with() -> None:
    runs = fill("abc")
    with pytest.raises(RunError, match="3 runs called '20'"):
        entries.remove("20")  # the century of all three
    for wrong in ("", "x" * 200):
        with pytest.raises(RunError, match="no run called"):
            entries.remove(wrong)
    assert names() == ["a", "b", "c"]
    assert entries.remove(runs["b"].id).path.is_dir()
    longer = entries.add(CONFIG.override(["name=longer"]))
    assert entries.remove(longer.id.removesuffix("ger")).id == longer.id
    assert names() == ["a", "c"]


def test_a_whole_id_is_no_beginning_of_a_longer_one() -> None:
    first = fill("a")["a"]
    longer = first.path.with_name(f"{first.id}-2")
    shutil.copytree(first.path, longer)
    entries.append(RunDirectory(longer))
    assert entries.remove(first.id).id == first.id
    assert [entry.run.id for entry in entries.entries()] == [longer.name]


def test_a_run_that_is_being_trained_stays() -> None:
    run = fill("a")["a"]
    run.status.set_worker(ProcessIdentity.own())
    with pytest.raises(RunError, match="has begun"):
        entries.remove(run.id)
    assert names() == ["a"]


@pytest.mark.parametrize(
    "record",
    [
        [], {}, "text", {"run": 5, "starts": 0, "device": ""},
        {"run": "/nowhere", "starts": 0, "device": ""},
        {"run": ".", "starts": "many", "device": ""}, {"run": ".", "starts": None, "device": ""},
    ],
)  # fmt: skip
def test_what_is_no_entry_is_passed_over_and_cleaned_away(record: object) -> None:
    fill("a")
    odd = queue_folder() / "waiting" / "0.json"
    atomic.write_json(odd, record)
    assert names() == ["a"]
    entries.clean()
    assert not odd.exists()
    assert names() == ["a"]


def test_what_cannot_be_read_now_stays_in_the_queue() -> None:
    runs = fill("ab")
    unread = queue_folder() / "waiting" / "0.json"
    unread.mkdir()  # reading it fails, as on a disk with errors
    folder = runs["a"].path.parent
    folder.rename(folder.with_name("unmounted"))
    entries.clean()
    assert names() == []
    folder.with_name("unmounted").rename(folder)
    assert names() == ["a", "b"]
    assert unread.exists()
    runs["a"].delete()
    entries.clean()
    assert len(list(unread.parent.glob("*.json"))) == 2


def finish(run: RunDirectory, *_: object) -> Handle:
    """Stand for a worker that trains a run to its end at once."""
    if (run.path / "lock").is_dir():
        raise RunError(f"Cannot write to the run {run.id}: Is a directory.")
    with EventLog(run.events.path) as events:
        events.write(Finished(step=1, seconds=1.0))
    return Handle(run, subprocess.Popen(["true"]))


def test_a_run_that_cannot_be_started_stays_and_does_not_hold_up_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "start", finish)
    monkeypatch.setattr(worker, "_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(worker, "_POLL_SECONDS", 0.0)
    runs = fill("abc")
    (runs["a"].path / "lock").mkdir()
    told: list[str] = []
    with pytest.raises(RunError, match="It stays in the queue: `dltui queue start"):
        worker.work(1, False, told.append)
    (left,) = entries.entries()
    assert (left.run.id, left.starts) == (runs["a"].id, 0)
    assert sum("Is a directory" in text for text in told) == 5
    (runs["a"].path / "lock").rmdir()
    worker.work(1, False, told.append)
    assert names() == []


def test_a_queue_that_cannot_be_written_says_so() -> None:
    fill("a")
    (queue_folder() / "worker.json").mkdir()  # in the way of the file, as a full disk is
    with pytest.raises(RunError, match=r"Cannot write to the queue /.*: Is a directory"):
        worker.work(1, False, print)
    assert names() == ["a"]


def test_an_empty_queue_is_not_at_work() -> None:
    assert names() == []
    assert not entries.running()
    assert not entries.stop()
    queue_folder().mkdir(parents=True)
    for text in ("", "[]", "{}", '{"pid": "x"}', "nonsense"):
        (queue_folder() / "worker.json").write_text(text)
        assert not entries.running()


def elsewhere() -> None:
    """Let the process that works the queue off be one of a container, whose number is not here."""
    hidden = replace(ProcessIdentity.own(), pid=2**22 + 1, namespace="pid:[1]")
    atomic.write_json(queue_folder() / "worker.json", hidden.record())


def test_a_queue_worked_off_in_a_container_runs_while_its_heart_beats() -> None:
    fill("a")
    heartbeat = queue_folder() / "heartbeat"
    with entries.held():
        elsewhere()
        while not heartbeat.exists():
            time.sleep(0.01)
        assert entries.running()
        with pytest.raises(RunError, match="already running"):
            entries.start()
    assert not entries.running(), "it has ended by itself"
    elsewhere()
    os.utime(heartbeat, (time.time() - 60,) * 2)
    assert not entries.running()
    assert not entries.stop()


def test_a_queue_worked_off_in_a_container_is_stopped_by_a_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "start", finish)
    fill("ab")
    with entries.held():
        elsewhere()
        (queue_folder() / "heartbeat").touch()
        assert entries.stop()
    told: list[str] = []
    with entries.held():
        (queue_folder() / "stop").touch()
        worker.QueueWorker([""], told.append).run(entries.asked_to_stop)
    assert names() == ["a", "b"]
    worker.work(1, False, told.append)
    assert names() == [], "a request to an earlier process has stopped this one"
