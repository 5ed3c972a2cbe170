"""Jobs that a scheduler ends and starts again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.config.presets import find_preset, load_preset
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Progress, Started
from engine.runs.follower import Follower
from engine.runs.status import State

Call = Callable[..., subprocess.CompletedProcess[str]]
DLTUI = str(Path(sys.executable).parent / "dltui")
JOB = ("run", "wine-mlp", "--resume", "auto", "compute.threads=1")
LONG = ("train.epochs=400",)
ENDLESS = ("train.epochs=100000",)


def only_run(home: Path) -> RunDirectory:
    (run,) = all_runs(home / "runs")
    return run


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def start_job(*assignments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [DLTUI, *JOB, *assignments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def is_training(home: Path) -> bool:
    return any(run.events.last(Progress) for run in all_runs(home / "runs"))


@pytest.mark.slow
def test_a_job_that_is_ended_and_started_again_finishes_its_one_run(
    dltui: Call, home: Path
) -> None:
    job = start_job(*LONG)
    wait_until(lambda: is_training(home))
    job.send_signal(signal.SIGTERM)
    assert job.wait(120) == 143
    assert only_run(home).status.state() is State.INTERRUPTED
    assert list(only_run(home).checkpoints.glob("step-*"))

    again = dltui(*JOB, *LONG)

    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines()[-1].startswith("finished after ")
    assert only_run(home).status.state() is State.FINISHED
    started = [e for e in Follower(only_run(home).events.path).new() if isinstance(e, Started)]
    assert len(started) == 2
    assert started[1].resumed_step > 0

    done = dltui(*JOB, *LONG)

    assert done.returncode == 0
    assert done.stdout.strip() == only_run(home).id
    assert "is finished already" in done.stderr


@pytest.mark.slow
def test_a_killed_run_continues_and_one_that_runs_is_followed(dltui: Call, home: Path) -> None:
    killed = dltui(*JOB, *ENDLESS, "--detach").stdout.strip()
    wait_until(lambda: is_training(home))
    worker = only_run(home).status.worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    wait_until(lambda: only_run(home).status.state() is State.LOST)

    assert dltui(*JOB, *ENDLESS, "--detach").stdout.strip() == killed
    follower = start_job(*ENDLESS)
    assert follower.stdout is not None
    assert follower.stdout.readline().strip() == f"run {killed}"
    dltui("stop", killed)

    assert follower.wait(120) == 0
    assert only_run(home).status.state() is State.STOPPED


@pytest.mark.slow
def test_jobs_that_start_at_once_share_one_run(home: Path) -> None:
    jobs = [start_job(*LONG) for _ in range(3)]

    assert [job.wait(120) for job in jobs] == [0] * 3
    assert only_run(home).status.state() is State.FINISHED
    assert {job.communicate()[0].splitlines()[0] for job in jobs} <= {
        f"run {only_run(home).id}", only_run(home).id
    }  # fmt: skip


def test_a_run_continues_by_its_name(dltui: Call, home: Path) -> None:
    config = load_preset(find_preset("wine-mlp"), ["train.epochs=1", "compute.threads=1"])
    run = RunDirectory.create(home / "runs", config)

    assert dltui("run", "wine-mlp", "--resume", run.id).returncode == 2
    assert dltui("run", "--resume", run.id).returncode == 0
    assert run.status.state() is State.FINISHED
