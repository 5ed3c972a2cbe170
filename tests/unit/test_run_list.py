"""The list of runs: the files it reads, its index, and the changes that make it read again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.config.run_config import RunConfig
from engine.errors import RunError
from engine.processes.identity import ProcessIdentity
from engine.runs.annotations import Annotations, write_annotations
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Event, EventLog, Finished, Started
from engine.runs.listing import RunList, list_runs
from engine.runs.status import State
from engine.runs.summary import RunSummary
from engine.runs.trash import discard, empty, restore, trash_folder

INDEX = ".index.json"
TITLE = "title = '''\n[model]\nkind = \"resnet18\"\n'''"
"""A string that looks like a section."""
LONG = 103
"""Number of runs in a list that is long enough for an index."""


def make(folder: Path, name: str, events: Iterable[Event] = ()) -> RunDirectory:
    config = RunConfig.parse(
        {
            "name": name,
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin"},
            "model": {"kind": "cnn"},
            "train": {"metric_for_best_model": "f1"},
        }
    )
    run = RunDirectory.create(folder, config)
    write(run, events)
    return run


def write(run: RunDirectory, events: Iterable[Event]) -> None:
    log = EventLog(run.events.path)
    for event in events:
        log.write(event)
    log.close()


def started(time: float = 10.0) -> Event:
    return Started(time=time, device="cpu", precision="float32", threads=1)


def finished(f1: float = 0.9) -> Event:
    return Finished(time=70.0, step=1, seconds=60.0, metrics={"f1": f1, "loss": 0.1})


def evaluated(f1: float, best: bool) -> Event:
    return Evaluated(
        time=20.0, step=1, epoch=1.0, split="validation", metrics={"f1": f1}, best=best
    )


def long_list(folder: Path) -> list[RunDirectory]:
    return [make(folder, f"run-{place}", [started(), finished()]) for place in range(LONG)]


def read_twice(folder: Path) -> list[RunSummary]:
    """Read the list twice; the second time with the index of the first."""
    list_runs(folder)
    return list_runs(folder)


def test_a_row_has_what_the_whole_configuration_says(tmp_path: Path) -> None:
    run = make(tmp_path, "alpha", [started(), finished()])
    (row,) = list_runs(tmp_path)
    config = run.config.read()
    assert (row.name, row.task, row.data, row.model, row.metric) == (
        "alpha", config.task.kind, config.data.label, config.model.kind, "f1",
    )  # fmt: skip
    assert (row.state, row.value, row.started, row.seconds) == (State.FINISHED, 0.9, 10.0, 60.0)
    assert row.metrics == {"f1": 0.9, "loss": 0.1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "alpha"', "name = 'alpha'"),
        ("[task]", "[ task ]"),
        ('name = "alpha"', 'name = "alpha"\n' + TITLE),
        ('metric_for_best_model = "f1"', "metric_for_best_model = 'f1'"),
    ],
)
def test_a_file_that_somebody_wrote_by_hand_is_read_as_well(
    tmp_path: Path, old: str, new: str
) -> None:
    run = make(tmp_path, "alpha")
    text = (run.path / "config.toml").read_text()
    by_hand = text.replace('title = ""\n', "").replace(old, new)
    assert by_hand != text
    (run.path / "config.toml").write_text(by_hand)
    (row,) = list_runs(tmp_path)
    assert (row.name, row.task, row.model, row.metric) == (
        "alpha", "image_classification", "cnn", "f1",
    )  # fmt: skip


def test_a_damaged_configuration_is_a_problem_of_its_row_alone(tmp_path: Path) -> None:
    make(tmp_path, "good")
    bad = make(tmp_path, "bad")
    (bad.path / "config.toml").write_text('name = "bad"\n[task]\nkind = "none"\n')
    problems = {row.run.id: row.problem for row in list_runs(tmp_path)}
    assert problems.pop(bad.id)
    assert list(problems.values()) == [""]


def test_before_the_end_the_best_evaluation_counts(tmp_path: Path) -> None:
    run = make(tmp_path, "a", [started(), evaluated(0.5, True), evaluated(0.4, False)])
    runs = RunList(tmp_path)
    assert [row.value for row in runs.read()] == [0.5]
    write(run, [evaluated(0.6, True)])
    assert [row.value for row in runs.read()] == [0.6]
    write(run, [evaluated(0.1, False)])
    assert [row.value for row in runs.read()] == [0.6]


def test_the_index_says_what_the_files_say(tmp_path: Path) -> None:
    runs = long_list(tmp_path)
    write_annotations(runs[0], Annotations(("a", "b"), "note [red]", pinned=True))
    fresh = list(RunList(tmp_path).read())
    assert not (tmp_path / INDEX).exists()
    again = read_twice(tmp_path)
    assert (tmp_path / INDEX).stat().st_mode & 0o777 == 0o600
    for old, new in zip(fresh, again, strict=True):
        assert old.run.path == new.run.path
        assert replace(new, run=old.run) == old


def test_what_changed_since_is_read_again(tmp_path: Path) -> None:
    runs = long_list(tmp_path)
    list_runs(tmp_path)
    oldest = sorted(runs, key=lambda run: run.id)[0]
    write(oldest, [started(100.0), finished(0.3)])
    assert {row.id: row.value for row in list_runs(tmp_path)}[oldest.id] == 0.3
    write_annotations(oldest, Annotations(("new",)))
    assert {row.id: row.notes.tags for row in list_runs(tmp_path)}[oldest.id] == ("new",)


def test_the_time_between_two_workers_is_not_counted(tmp_path: Path) -> None:
    run = make(tmp_path, "a", [started(), Evaluated(
        time=40.0, step=1, epoch=1, split="validation", metrics={}, seconds=1.0,
    )])  # fmt: skip
    run.status.set_worker(ProcessIdentity.own())
    write(run, [started(1000.0), replace(finished(), time=1020.0)])
    (row,) = list_runs(tmp_path)
    assert row.seconds == 50.0
    (again,) = list_runs(tmp_path)
    assert again.seconds == 50.0


def test_a_worker_that_is_killed_says_nothing_and_yet_it_is_seen(tmp_path: Path) -> None:
    run = make(tmp_path, "a", [started()])
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:
        run.status.set_worker(ProcessIdentity.of(worker.pid))
        runs = RunList(tmp_path)
        assert [row.state for row in runs.read()] == [State.RUNNING]
        worker.kill()
        worker.wait()
        assert [row.state for row in runs.read()] == [State.LOST]


def test_a_run_that_trains_is_never_taken_from_the_index(tmp_path: Path) -> None:
    runs = long_list(tmp_path)
    oldest = sorted(runs, key=lambda run: run.id)[0]
    write(oldest, [started(100.0)])
    oldest.status.set_worker(ProcessIdentity.own())
    assert read_twice(tmp_path)[-1].state is State.RUNNING
    assert oldest.id not in (tmp_path / INDEX).read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}', '{"version": 1, "runs": 5}',
                                     '{"version": 1, "runs": {"x": {"stamp": []}}}'])  # fmt: skip
def test_a_damaged_index_is_made_anew(tmp_path: Path, content: str) -> None:
    long_list(tmp_path)
    (tmp_path / INDEX).write_text(content)
    assert len(list_runs(tmp_path)) == LONG
    assert len((tmp_path / INDEX).read_text()) > 10_000


@pytest.mark.skipif(os.geteuid() == 0, reason="everything can be written by root")
def test_without_a_place_for_the_index_the_list_is_there(tmp_path: Path) -> None:
    long_list(tmp_path)
    tmp_path.chmod(0o500)
    assert len(list_runs(tmp_path)) == LONG


def test_a_discarded_run_is_in_the_trash_and_comes_back_whole(tmp_path: Path) -> None:
    run = make(tmp_path, "a", [started(), finished()])
    write_annotations(run, Annotations(("kept",)))
    moved = discard(run)
    assert list_runs(tmp_path) == []
    assert [row.notes.tags for row in list_runs(trash_folder(tmp_path))] == [("kept",)]
    assert restore(moved).path == run.path
    assert [row.value for row in list_runs(tmp_path)] == [0.9]


def test_a_run_that_trains_is_not_discarded(tmp_path: Path) -> None:
    run = make(tmp_path, "a", [started(100.0)])
    run.status.set_worker(ProcessIdentity.own())
    with pytest.raises(RunError, match="Stop it"):
        discard(run)
    assert run.events.path.exists()


def test_a_restored_run_never_replaces_another(tmp_path: Path) -> None:
    run = make(tmp_path, "a", [started(), finished(0.1)])
    moved = discard(run)
    run.path.mkdir()
    (run.path / "config.toml").write_text("")
    assert restore(moved).path != run.path


def test_an_emptied_trash_is_empty(tmp_path: Path) -> None:
    for name in ("a", "b"):
        discard(make(tmp_path, name))
    (trash_folder(tmp_path) / ".deleted-x").mkdir()
    assert empty(tmp_path) == 2
    assert list(trash_folder(tmp_path).iterdir()) == []


def test_a_run_that_is_gone_cannot_be_moved(tmp_path: Path) -> None:
    run = make(tmp_path, "a")
    discard(RunDirectory(run.path))
    with pytest.raises(RunError):
        discard(run)
