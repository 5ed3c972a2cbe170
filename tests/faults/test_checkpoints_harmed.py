"""Checkpoints that were not completed, and checkpoints that a bad disk has changed."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import RunConfig, train
from engine.files.paths import runs_folder
from engine.processes.environment import worker_environment
from engine.runs.directory import RunDirectory
from engine.runs.events import Log, Started
from engine.runs.follower import read_history
from engine.runs.status import State
from engine.training.checkpoints import checkpoint

EVERY = 2
"""Updates between checkpoints."""
KEPT = 2
CONFIG = RunConfig.parse(
    {
        "name": "harmed",
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "wine"},
        "model": {"kind": "mlp", "hidden": [16], "dropout": 0.3, "normalization": "batch"},
        "train": {
            "max_steps": 120, "epochs": 1000, "batch_size": 16, "eval_steps": 15,
            "save_steps": EVERY, "save_total_limit": KEPT,
        },
        "compute": {"device": "cpu", "threads": 1},
    }
)  # fmt: skip

# Works on runs one after the other, each in a forked process that has loaded the libraries.
WORKERS = """
import io, json, os, random, shutil, signal, sys
from pathlib import Path
import sklearn.datasets, torch
import engine.training.run
from engine.launch import worker
from engine.training.checkpoints import checkpoint

def forked(work):
    child = os.fork()
    if child == 0:
        os._exit(work())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
FINISHING = (
    WORKERS
    + """
for path in sys.argv[1:]:
    print(json.dumps(forked(lambda: worker.main([path]))))
"""
)
# Patches the system calls of the engine's own process, which does not know it.
DYING = (
    WORKERS
    + """
def dies(point, number, seed):
    "Let this process be killed at a point of the writing of so many-th checkpoint from now on."
    chance, left = random.Random(seed), number
    save, dump = checkpoint.save, torch.save
    mkdir, rename, fsync, rmtree = Path.mkdir, Path.rename, os.fsync, shutil.rmtree

    def at(here):
        if left == 0 and here == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(*arguments, **options):
        nonlocal left
        left -= 1
        return save(*arguments, **options)

    def dumped(state, file, *arguments, **options):
        whole = io.BytesIO()
        dump(state, whole, *arguments, **options)
        content = whole.getvalue()
        file.write(content[:chance.randrange(len(content))])
        file.flush()
        at("in the middle of the file")
        file.seek(0)
        file.write(content)

    def flushed(handle):
        if os.readlink(f"/proc/self/fd/{handle}").endswith("/state.pt"):
            at("before it is flushed")
        fsync(handle)

    def made(path, *arguments, **options):
        if path.name.endswith(".writing"):
            at("before anything is written")
        mkdir(path, *arguments, **options)

    def renamed(path, target):
        if path.name.endswith(".writing"):
            at("before it gets its name")
        result = rename(path, target)
        if path.name.endswith(".writing"):
            at("before old ones are removed")
        return result

    def removed(path, *arguments, **options):
        path = Path(path)
        if left == 0 and point == "while an old one is removed" and path.name.startswith("step-"):
            chance.choice(list(path.iterdir())).unlink()
        if path.name.startswith("step-"):
            at("while an old one is removed")
        rmtree(path, *arguments, **options)

    checkpoint.save, torch.save = counted, dumped
    Path.mkdir, Path.rename, os.fsync, shutil.rmtree = made, renamed, flushed, removed

path = sys.argv[1]
for point, number, seed in json.loads(sys.argv[2]):
    def work():
        dies(point, number, seed)
        return worker.main([path])

    status = forked(work)
    newest, _, damaged = checkpoint.load_newest(Path(path) / "checkpoints")
    print(json.dumps([status, newest.step if newest else 0, len(damaged)]))
print(json.dumps(forked(lambda: worker.main([path]))))
"""
)
POINTS = (
    "before anything is written",
    "in the middle of the file",
    "before it is flushed",
    "before it gets its name",
    "before old ones are removed",
    "while an old one is removed",
)
NAMED = POINTS[4:]
"""Points after which the new checkpoint is valid."""
ROUNDS = 10
FLIPS = 50
WRITING = "kill -9 in the writing of a checkpoint, at six points"
FLIPPED = "a bit of the newest checkpoint is wrong"


def answers(program: str, *arguments: str) -> list[Any]:
    """The output of a program, one JSON value a line."""
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=worker_environment() | {"OMP_NUM_THREADS": "1"},
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


@contextmanager
def one_thread() -> Iterator[None]:
    """Restore the number of threads, which the runs here lower, for later tests."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """An undisturbed run; read-only."""
    with one_thread():
        return train(CONFIG, RunDirectory.create(tmp_path_factory.mktemp("whole"), CONFIG))


def equals(run: RunDirectory, whole: RunDirectory) -> None:
    """The files of a run equal those of an undisturbed one."""
    assert run.status.state() is State.FINISHED
    torch.testing.assert_close(final_state(run), final_state(whole), rtol=0, atol=0)
    for folder in ("model", "checkpoints"):
        assert names(run.path / folder) == names(whole.path / folder)
    assert weights(run) == weights(whole)
    assert told(run) == told(whole)


def final_state(run: RunDirectory) -> dict[str, Any]:
    _, state, damaged = checkpoint.load_newest(run.checkpoints)
    assert not damaged
    return state | {"position": state["position"] | {"seconds": 0.0}}


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def weights(run: RunDirectory) -> bytes:
    return (run.model / "network.safetensors").read_bytes()


def told(run: RunDirectory) -> list[Any]:
    return [(e.step, e.metrics, e.train_loss, e.best) for e in read_history(run).evaluations]


def kill_and_resume(whole: RunDirectory, points: Sequence[str], seed: int) -> None:
    """Kill the workers of one run, each at a point while it writes some checkpoint."""
    chance = random.Random(seed)
    plan = [(point, chance.randint(3, 6), chance.random()) for point in points]
    run = RunDirectory.create(runs_folder(), CONFIG)

    *deaths, end = answers(DYING, str(run.path), json.dumps(plan))

    reached = 0
    for (point, number, _), (status, step, damaged) in zip(plan, deaths, strict=True):
        assert status == -signal.SIGKILL, run.log.read_text()
        assert damaged == 0
        written = number if point in NAMED else number - 1
        assert step == reached + written * EVERY, point
        reached = step
    assert end == 0, run.log.read_text()
    equals(run, whole)


@pytest.mark.slow
@pytest.mark.harm(WRITING, len(POINTS))
def test_a_kill_in_the_writing_of_a_checkpoint_costs_no_other(whole: RunDirectory) -> None:
    kill_and_resume(whole, POINTS, seed=0)


@pytest.mark.harm(WRITING, len(POINTS))
@pytest.mark.faults
@pytest.mark.parametrize("seed", range(1, 1 + ROUNDS))
def test_kills_in_the_writing_of_checkpoints_in_any_order(whole: RunDirectory, seed: int) -> None:
    kill_and_resume(whole, random.Random(seed).sample(POINTS, len(POINTS)), seed)


def test_what_is_left_of_a_checkpoint_that_was_being_removed_goes_with_the_next(
    tmp_path: Path,
) -> None:
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, {"x": step}, keep=3)
    (tmp_path / "step-000000001" / "manifest.json").unlink()
    (tmp_path / "step-000000002" / "state.pt").unlink()
    checkpoint.save(tmp_path, 4, {"x": 4}, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000003", "step-000000004"]


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def harmed(whole: RunDirectory, seed: int) -> tuple[RunDirectory, str]:
    """A copy of a run with a flipped bit in its newest checkpoint; and the expected message."""
    run = RunDirectory(runs_folder() / f"{whole.id}-{seed}")
    shutil.copytree(whole.path, run.path)
    newest = checkpoint.found(run.checkpoints)[0]
    chance = random.Random(seed)
    path = chance.choice(sorted(newest.path.iterdir()))
    flip(path, chance.randrange(8 * path.stat().st_size))
    return run, f"The checkpoint {newest.path.name} is damaged; the one before it is used."


def went_on(run: RunDirectory, words: str, whole: RunDirectory) -> None:
    """The run was resumed from the checkpoint before, and reported it."""
    assert words in [event.message for event in run.events.newest(Log) if isinstance(event, Log)]
    started = run.events.last(Started)
    assert isinstance(started, Started)
    assert started.resumed_step == checkpoint.found(whole.checkpoints)[1].step
    equals(run, whole)


@pytest.mark.harm(FLIPPED, 1)
@pytest.mark.parametrize("seed", range(2))
def test_a_wrong_bit_is_found_and_the_checkpoint_before_is_used(
    whole: RunDirectory, seed: int
) -> None:
    run, words = harmed(whole, seed)
    with one_thread():
        train(CONFIG, run)
    went_on(run, words, whole)


@pytest.mark.harm(FLIPPED, FLIPS)
@pytest.mark.faults
def test_wrong_bits_anywhere(whole: RunDirectory) -> None:
    runs = [harmed(whole, seed) for seed in range(2, 2 + FLIPS)]

    statuses = answers(FINISHING, *(str(run.path) for run, _ in runs))

    assert statuses == [0] * FLIPS
    for run, words in runs:
        went_on(run, words, whole)


def test_any_bit_of_a_checkpoint_counts(tmp_path: Path) -> None:
    for step in (10, 20):
        checkpoint.save(tmp_path, step, {"x": torch.zeros(3)}, keep=2)
    newest, before = checkpoint.found(tmp_path)
    for path in newest.path.iterdir():
        for bit in random.Random(0).sample(range(8 * path.stat().st_size), 300):
            flip(path, bit)
            assert checkpoint.load_newest(tmp_path)[0] == before, (path, bit)
            flip(path, bit)
    assert checkpoint.load_newest(tmp_path)[0] == newest
