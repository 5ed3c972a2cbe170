"""Queued runs, started by a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from engine import RunConfig
from engine.errors import RunError
from engine.files.paths import queue_folder
from engine.hardware.resources import assignable
from engine.processes.lock import locked
from engine.queue import entries
from engine.queue.worker import QueueWorker
from engine.runs.events import Progress, Started
from engine.runs.status import State

Call = Callable[..., subprocess.CompletedProcess[str]]


def wine(name: str = "wine", **train: object) -> RunConfig:
    return RunConfig.parse(
        {
            "name": name,
            "task": {"kind": "tabular_classification"},
            "data": {"kind": "builtin", "name": "wine"},
            "model": {"kind": "mlp", "hidden": [8]},
            "train": {"epochs": 1} | train,
            "compute": {"device": "cpu", "threads": 1},
        }
    )


def endless(name: str) -> RunConfig:
    return wine(name, epochs=100_000, batch_size=8, save_minutes=0.001)


@pytest.fixture(autouse=True)
def no_queue_is_left(home: Path) -> Iterator[None]:
    yield
    entries.stop()
    wait_until(lambda: not entries.running())


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def names() -> list[str]:
    return [entry.run.id for entry in entries.entries()]


def test_runs_start_one_after_another_in_the_order_in_which_they_came() -> None:
    runs = [entries.add(wine(name)) for name in ("zebra", "apple")]
    assert [run.status.state() for run in runs] == [State.QUEUED] * 2
    assert names() == [run.id for run in runs]
    assert entries.start().wait() == 0
    assert [run.status.state() for run in runs] == [State.FINISHED] * 2
    first_ends, second_starts = runs[0].events.last(), runs[1].events.last(Started)
    assert first_ends is not None
    assert second_starts is not None
    assert first_ends.time < second_starts.time
    assert names() == []


@pytest.mark.slow
def test_a_queue_that_cannot_be_started_says_why() -> None:
    run = entries.add(wine())
    with (
        locked(queue_folder() / "lock"),
        pytest.raises(RunError, match="Cannot start the queue: Another process already works"),
    ):
        entries.start()
    assert names() == [run.id]


@pytest.mark.slow
def test_the_kill_of_everything_is_made_up_for_when_the_queue_is_started_again() -> None:
    run = entries.add(endless("long"))
    after = entries.add(wine("after"))
    process = entries.start()
    wait_until(lambda: any(run.checkpoints.glob("step-*")))
    process.kill()
    process.wait()
    assert run.status.state() is State.RUNNING, "the queue's death reached its run"
    worker = run.status.worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: run.status.state() is State.LOST)
    assert names() == [run.id, after.id]
    entries.start()
    wait_until(lambda: run.status.state() is State.RUNNING)
    wait_until(lambda: len(list(run.events.newest(Started))) == 2)
    started = run.events.last(Started)
    assert isinstance(started, Started)
    assert started.resumed_step > 0
    assert after.status.state() is State.QUEUED
    with pytest.raises(RunError, match="has begun"):
        entries.remove(run.id)
    with pytest.raises(RunError, match="already running"):
        entries.start()


def test_each_gpu_gets_a_run_and_the_next_one_gets_the_gpu_that_is_free() -> None:
    first, second, third = (entries.add(endless(f"run-{number}")) for number in range(3))
    over = False
    told: list[str] = []
    (queue_folder()).mkdir(exist_ok=True)

    def watch() -> bool:
        nonlocal over
        if third.status.state() is State.RUNNING:
            over = True
        elif (worker := second.status.worker()) is not None and second.events.last(
            Progress
        ) is not None:
            os.kill(worker.pid, signal.SIGKILL) if worker.alive() else None
            for entry in entries.entries():  # as if it had been started too often
                if entry.run.path == second.path:
                    replace(entry, starts=99).write()
        return over

    QueueWorker(["3", "5"], told.append).run(watch)
    assert names() == [first.id, third.id]
    for run, gpu in ((first, "3"), (third, "5")):
        worker = run.status.worker()
        assert worker is not None
        assert psutil.Process(worker.pid).environ()["CUDA_VISIBLE_DEVICES"] == gpu
    assert f"{second.id} is lost" in told


def test_only_the_gpus_that_are_allowed_are_given_out() -> None:
    assert assignable(None, ["0", "1"]) == ["0", "1"]
    assert assignable("1", ["0", "1"]) == ["1"]
    assert assignable("GPU-3a, 0", ["0"]) == ["GPU-3a", "0"]
    assert assignable("", ["0"]) == assignable("-1", ["0"]) == []


def test_of_two_who_work_the_queue_off_one_does() -> None:
    entries.add(wine())
    command = [sys.executable, "-m", "engine.queue.worker"]
    with entries.held():
        other = subprocess.run(command, capture_output=True, text=True)
    assert other.returncode == 1
    assert "Another process already works" in other.stderr
    assert len(names()) == 1


def test_what_is_unreadable_or_deleted_does_not_hold_the_queue_up() -> None:
    gone, kept = entries.add(wine("gone")), entries.add(wine("kept"))
    gone.delete()
    (queue_folder() / "waiting" / "0.json").write_text("{")
    assert names() == [kept.id]
    entries.remove(kept.id)
    assert entries.start().wait() == 0
    assert kept.status.state() is State.QUEUED
    assert list((queue_folder() / "waiting").iterdir()) == []


def test_the_queue_is_filled_listed_and_emptied_from_the_command_line(dltui: Call) -> None:
    first = dltui("queue", "add", "wine-mlp", "name=one").stdout.strip()
    second = dltui("queue", "add", "wine-mlp", "name=two").stdout.strip()
    listed = json.loads(dltui("queue", "list", "--json").stdout)
    assert [(row["id"], row["state"]) for row in listed["runs"]] == [
        (first, "queued"),
        (second, "queued"),
    ]
    assert not listed["working"]
    assert dltui("queue", "remove", first).returncode == 0
    assert names() == [second]
    assert dltui("queue", "remove", first).returncode == 2
    assert "queue start" in dltui("queue", "list").stdout
