"""Races for one run folder, and in one folder of runs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import RunConfig
from engine.launch.start import launch
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Event, Finished, Log
from engine.runs.follower import Follower
from engine.runs.status import State

PATIENCE_SECONDS = 240
CONFIG = RunConfig.parse(
    {
        "name": "race",
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "wine"},
        "model": {"kind": "mlp", "hidden": [8]},
        "train": {"epochs": 3, "eval_steps": 1},
        "compute": {"device": "cpu", "threads": 1},
    }
)
WORDS = 200

# All processes are ready before the start: imports take longer than the race.
RUNNERS = """
import os, select, sys, time
from pathlib import Path
from engine.launch.attempt import attempt
from engine.config.run_config import RunConfig
from engine.errors import RunError
from engine.runs.events import Finished, Log
from engine.runs.directory import RunDirectory

def work(session):
    for number in range({words}):
        text = f"{{session.run.id}} {{os.getpid()}} {{number}} " + "x" * 200
        session.events.write(Log(level="info", message=text))
    return Finished(step={words}, seconds=0.0)

def compete(run, work=work):
    try:
        attempt(run, work)
    except RunError:
        return 3
    return 0

def together(moment, task, count):
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            while time.monotonic() < moment:
                pass
            os._exit(task())
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
"""
RACE = (
    RUNNERS
    + """
for path in sys.argv[1:]:
    run = RunDirectory(Path(path))
    reading, writing = os.pipe()

    # The winner works until all others were answered: one that comes late finds the run taken too.
    def last(session):
        ended = work(session)
        for _ in range(7):
            if not select.select([reading], [], [], 20)[0]:
                break
            os.read(reading, 1)
        return ended

    def one():
        status = compete(run, last)
        os.write(writing, b"x")
        return status

    statuses = together(time.monotonic() + 0.05, one, 8)
    print(*statuses)
    if statuses.count(0) != 1:
        break
"""
)
AT_ONCE = (
    RUNNERS
    + """
config = RunConfig.model_validate_json(sys.argv[2])
make = lambda: compete(RunDirectory.create(Path(sys.argv[1]), config))
print(*together(time.monotonic() + 0.2, make, int(sys.argv[3])))
"""
)
STARTERS = (
    RUNNERS
    + """
from engine.launch.start import start

def begin(run):
    try:
        start(run)
    except RunError:
        return 3
    return 0

run = RunDirectory(Path(sys.argv[1]))
print(*together(time.monotonic() + 0.05, lambda: begin(run), 8))
"""
)


def python(program: str, *arguments: str) -> list[list[int]]:
    """The exit statuses that a program prints, a list for each line."""
    ran = subprocess.run(
        [sys.executable, "-c", program.format(words=WORDS), *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return [list(map(int, line.split())) for line in ran.stdout.splitlines()]


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def told(run: RunDirectory) -> list[Event]:
    """All events of a run, none of them mixed with another."""
    lines = run.events.path.read_bytes().splitlines()
    events = list(Follower(run.events.path).new())
    assert len(events) == len(lines)
    return events


def holds_one_whole_story(run: RunDirectory) -> None:
    *words, last = told(run)
    assert isinstance(last, Finished)
    assert all(isinstance(word, Log) for word in words)
    parts = [word.message.split() for word in words if isinstance(word, Log)]
    assert {part[0] for part in parts} == {run.id}
    assert len({part[1] for part in parts}) == 1, "two wrote into one run"
    assert [int(part[2]) for part in parts] == list(range(WORDS))


def race(folder: Path, times: int) -> None:
    """Start eight processes for the same run at the same moment, each time another run."""
    runs = [RunDirectory.create(folder, CONFIG) for _ in range(times)]
    results = python(RACE, *(str(run.path) for run in runs))
    for run, statuses in zip(runs, results, strict=False):
        assert sorted(statuses) == [0] + [3] * 7
        holds_one_whole_story(run)
    assert len(results) == times


def write_at_once(folder: Path, count: int) -> None:
    """Let ``count`` processes create and write a run of the same name at the same moment."""
    (statuses,) = python(AT_ONCE, str(folder), CONFIG.model_dump_json(), str(count))
    assert statuses == [0] * count
    runs = all_runs(folder)
    assert len(runs) == count
    for run in runs:
        assert run.config.read() == CONFIG
        assert run.status.state() is State.FINISHED
        holds_one_whole_story(run)


def train_at_once(folder: Path, count: int) -> None:
    """Train ``count`` runs at the same time."""
    handles = [launch(CONFIG, folder) for _ in range(count)]
    assert [handle.wait(PATIENCE_SECONDS) for handle in handles] == [0] * count
    assert len(all_runs(folder)) == count
    reports = []
    for handle in handles:
        assert isinstance(told(handle.run)[-1], Finished)
        report = handle.run.report.read() or {}
        assert report.pop("run") == handle.run.id
        reports.append(report["metrics"])
    assert reports == [reports[0]] * count, "equal configurations learn the same"


def test_of_many_who_want_one_run_one_gets_it(tmp_path: Path) -> None:
    race(tmp_path, 10)


@pytest.mark.harm("runs written at once into one folder", 50)
def test_runs_that_are_written_at_once_are_not_mixed_up(tmp_path: Path) -> None:
    write_at_once(tmp_path, 50)


@pytest.mark.harm("eight who want the same run at once", 100)
@pytest.mark.faults
def test_a_hundred_races_have_one_winner_each(tmp_path: Path) -> None:
    race(tmp_path, 100)


@pytest.mark.harm("runs that train at once", 8)
@pytest.mark.faults
@pytest.mark.parametrize("count", [8])
def test_runs_that_train_at_once_are_not_mixed_up(tmp_path: Path, count: int) -> None:
    train_at_once(tmp_path, count)


def test_of_many_who_start_one_run_one_does(tmp_path: Path) -> None:
    # It runs until it is stopped, so that one that comes late finds it running, too.
    run = RunDirectory.create(tmp_path, CONFIG.override(["train.epochs=100000"]))

    (statuses,) = python(STARTERS, str(run.path))

    assert sorted(statuses) == [0] + [3] * 7
    run.requests.send(Request(control.STOP))
    until(lambda: run.status.state().ended)
    assert run.status.state() is State.STOPPED
    told(run)
