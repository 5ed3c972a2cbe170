"""A full disk, a limit on file sizes, and a read-only folder while a run writes."""

from __future__ import annotations

import contextlib
import random
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine import RunConfig, launch
from engine.errors import RunError
from engine.files.disk_space import if_full, too_little_room
from engine.launch.start import Handle, start
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import EventLog, Failed, Log, Progress, Started
from engine.runs.follower import Follower
from engine.runs.status import State
from engine.training.checkpoints import checkpoint

PATIENCE_SECONDS = 240
ROOM = 4096
"""Bytes that a run reserves for its final event."""
QUICK, FULL = 2, 25
FULL_DISK = pytest.mark.harm("full disk or limit on files, at random writes")


def writing_much(**train: object) -> RunConfig:
    """An endless run that writes with every update."""
    return RunConfig.parse(
        {
            "name": "full",
            "task": {"kind": "tabular_classification"},
            "data": {"kind": "builtin", "name": "wine"},
            "model": {"kind": "mlp", "hidden": [32, 32]},
            "train": {"epochs": 100_000, "save_steps": 2, "eval_steps": 1} | train,
            "compute": {"device": "cpu", "threads": 1},
        }
    )


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def await_writing(handle: Handle, events: int) -> None:
    """Wait until the run has written some bytes of events and a checkpoint."""
    run = handle.run
    until(lambda: run.events.path.exists() and run.events.path.stat().st_size > events)
    until(lambda: list(run.checkpoints.glob("step-*")))
    assert handle.process.poll() is None


def ended_cleanly(handle: Handle, reason: str) -> None:
    """The run exited by itself, reported the reason, and left only complete checkpoints."""
    run = handle.run
    assert handle.wait(PATIENCE_SECONDS) == 1, run.log.read_text()
    state, last = run.status.standing()
    assert state is State.FAILED, run.log.read_text()
    assert isinstance(last, Failed)
    assert reason in last.message
    assert not last.report, "it is no mistake of the program"
    newest, _, damaged = checkpoint.load_newest(run.checkpoints)
    assert newest is not None
    assert not damaged
    assert all(path.name.startswith("step-") for path in run.checkpoints.iterdir())


def assert_resumes(run: RunDirectory) -> None:
    """With free space again, the run resumes from its newest checkpoint."""
    newest = checkpoint.found(run.checkpoints)[0]
    handle = start(run)
    until(lambda: isinstance(run.events.last(Progress, Failed, Started), Progress))
    handle.process.terminate()
    assert handle.wait(PATIENCE_SECONDS) == 143
    started = [event for event in Follower(run.events.path).new() if isinstance(event, Started)]
    assert started[-1].resumed_step == newest.step


def limit_a_run(seed: int) -> None:
    """Limit the size of a run's files at some moment."""
    chance = random.Random(seed)
    handle = launch(writing_much())
    await_writing(handle, chance.randrange(1, 100_000))
    size = handle.run.events.path.stat().st_size + 100_000  # the file grows meanwhile
    limit = size + ROOM + chance.randrange(100_000)
    hard = resource.prlimit(handle.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(handle.process.pid, resource.RLIMIT_FSIZE, (limit, hard))
    ended_cleanly(handle, "File too large")
    assert_resumes(handle.run)


def fill_up(folder: Path, left: int = 0) -> Path:
    """Write a file that leaves ``left`` bytes of a disk free."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)) == 4096:
            pass
    with filler.open("r+b") as file:
        file.truncate(max(0, filler.stat().st_size - left))
    return filler


def fill_the_disk(folder: Path, seed: int, **train: object) -> None:
    """Leave a few pages of the disk, or none, free at some moment of a run."""
    chance = random.Random(seed)
    handle = launch(writing_much(**train), folder)
    await_writing(handle, chance.randrange(1, 50_000))
    filler = fill_up(folder, left=chance.randrange(8) * 4096)
    ended_cleanly(handle, "No space left on device")
    filler.unlink()
    assert_resumes(handle.run)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of four megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "none", str(folder)],
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("only root may mount a file system here")
    yield folder
    for run in all_runs(folder):
        worker = run.status.worker()
        until(lambda worker=worker: worker is None or not worker.alive())
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@FULL_DISK
@pytest.mark.parametrize("seed", range(QUICK))
def test_a_run_whose_files_are_limited_says_so_and_keeps_its_checkpoints(seed: int) -> None:
    limit_a_run(seed)


@FULL_DISK
def test_a_run_on_a_full_disk_says_so_and_keeps_its_checkpoints(small_disk: Path) -> None:
    fill_the_disk(small_disk, 0)


@FULL_DISK
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(QUICK, QUICK + FULL))
def test_limits_at_random_moments(seed: int) -> None:
    limit_a_run(seed)


@FULL_DISK
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(1, 1 + FULL))
def test_full_disks_at_random_moments(small_disk: Path, seed: int) -> None:
    fill_the_disk(small_disk, seed)


@FULL_DISK
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(4))
def test_full_disks_while_two_processes_train(small_disk: Path, seed: int) -> None:
    fill_the_disk(small_disk, seed, devices=2)


def test_a_run_in_a_folder_that_is_read_only_does_not_begin(small_disk: Path) -> None:
    run = RunDirectory.create(small_disk, writing_much())
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    with pytest.raises(RunError, match="Read-only file system"):
        start(run)
    with pytest.raises(RunError, match="Read-only file system"):
        launch(writing_much(), small_disk)


def test_a_run_on_a_disk_that_is_full_does_not_begin(small_disk: Path) -> None:
    run = RunDirectory.create(small_disk, writing_much())
    fill_up(small_disk)

    with pytest.raises(RunError, match="No space left"):
        start(run)
    with pytest.raises(RunError, match="No space left"):
        launch(writing_much(), small_disk)
    assert run.status.state() is State.QUEUED


@pytest.fixture
def limit_files() -> Iterator[Callable[[int], None]]:
    """A function that limits the size of files that this process writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill(events: EventLog) -> None:
    while True:
        events.write(Log(level="info", message="x" * 100))


def test_the_last_word_finds_room_in_a_file_that_may_not_grow(
    tmp_path: Path, limit_files: Callable[[int], None]
) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as events:
        limit_files(20_000)
        with pytest.raises(OSError, match="too large"):
            fill(events)
        limit_files(resource.RLIM_INFINITY)  # the limit does not concern pytest's own output
        assert path.stat().st_size + ROOM <= 20_000
        events.write(Failed(message="full"))
    assert isinstance(list(Follower(path).new())[-1], Failed)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_last_word_finds_room_on_a_full_disk(small_disk: Path) -> None:
    path = small_disk / "events.jsonl"
    with EventLog(path) as events:
        with pytest.raises(OSError, match="No space left"):
            fill(events)
        events.write(Failed(message="full"))
    assert isinstance(list(Follower(path).new())[-1], Failed)


def test_a_full_disk_is_named_where_a_process_could_not_report_it(small_disk: Path) -> None:
    assert if_full(small_disk) == if_full(small_disk / "nowhere") == ""
    fill_up(small_disk, left=4096)
    assert if_full(small_disk) == f". The disk of {small_disk} is full."


def test_too_little_room_is_reported_beforehand(
    tmp_path: Path, limit_files: Callable[[int], None]
) -> None:
    assert too_little_room(tmp_path, 1000, 3) is None
    warning = too_little_room(tmp_path, 1 << 50, 3)
    assert warning is not None
    assert "train.save_total_limit" in warning
    limit_files(100_000)
    warning = too_little_room(tmp_path, 200_000, 1)
    assert warning == (
        "A checkpoint takes 0.2 MB, but no file here may be longer than 0.1 MB (ulimit -f)."
    )
