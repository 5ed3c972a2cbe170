"""A killed run resumes as if it had not been interrupted, to the last bit."""

from __future__ import annotations

import copy
import io
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine import RunConfig, train
from engine.errors import RunError, TrainingError
from engine.files.paths import runs_folder
from engine.launch.start import Handle, launch, start
from engine.pipelines.create import create_pipeline
from engine.runs import control
from engine.runs.control import Request
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Interrupted, Log, Progress, Started
from engine.runs.follower import read_history
from engine.runs.status import State
from engine.training.checkpoints import checkpoint

Make = Callable[..., Any]

TABLE = {
    "name": "table",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "breast-cancer"},
    "model": {"kind": "mlp", "hidden": [24, 24], "dropout": 0.3, "normalization": "batch"},
    "train": {"epochs": 3, "batch_size": 64, "eval_steps": 4, "gradient_accumulation_steps": 2,
              "warmup_ratio": 0.2},
    "compute": {"device": "cpu", "threads": 1},
}  # fmt: skip
ENSEMBLE = TABLE | {
    "model": {"kind": "tabm", "members": 3, "width": 8, "layers": 2, "dropout": 0.3},
}
IMAGES = {
    "name": "images",
    "task": {"kind": "image_classification", "augmentation": {"rotation": 10, "crop": 1}},
    "data": {"kind": "builtin", "name": "digits", "max_samples": 200},
    "model": {"kind": "cnn", "channels": [8, 8], "dropout": 0.3},
    "train": {"epochs": 2, "batch_size": 32, "optimizer": "sgd", "learning_rate": 0.05},
    "compute": {"device": "cpu", "threads": 1},
}
MASKS = {
    "name": "masks",
    "task": {"kind": "semantic_segmentation",
             "augmentation": {"flip": "both", "zoom": 0.3, "noise": 0.1}},
    "data": {"kind": "builtin", "name": "shapes", "max_samples": 40, "validation_fraction": 0.03,
             "test_fraction": 0.0},
    "model": {"kind": "unet", "channels": [4, 4], "dropout": 0.3},
    "train": {"epochs": 2, "batch_size": 8},
    "compute": {"device": "cpu", "threads": 1},
}  # fmt: skip
BOXES = MASKS | {
    "name": "boxes",
    "task": {"kind": "object_detection", "augmentation": {"flip": "both", "zoom": 0.3}},
    "model": {"kind": "centernet", "channels": [4, 4, 4]},
}
DENOISED_BOXES = BOXES | {
    "name": "denoised boxes",
    # It draws noisy boxes as queries in each update.
    "model": {"kind": "detection_transformer", "hidden_size": 16, "num_attention_heads": 2,
              "num_hidden_layers": 1},
}  # fmt: skip

RECIPES = copy.deepcopy(IMAGES)
RECIPES["task"]["augmentation"] |= {  # type: ignore[index]
    "resized_crop": 0.5, "policy": "trivial", "mixup": 0.2, "cutmix": 1.0, "start_size": 4,
}  # fmt: skip
RECIPES["task"] |= {"label_smoothing": 0.1, "test_time_flip": True}  # type: ignore[operator]
RECIPES["train"] |= {"ema_decay": 0.9}  # type: ignore[operator]


def written_and_read(state: dict[str, Any]) -> dict[str, Any]:
    """The state after saving and loading it as in a checkpoint."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    read: dict[str, Any] = torch.load(file, weights_only=True)
    return read


def same(one: Any, other: Any) -> bool:
    """Whether two states are equal to the last bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def timeless(state: dict[str, Any]) -> dict[str, Any]:
    """A state without its seconds, the only value that may differ."""
    return state | {"position": state["position"] | {"seconds": 0.0}}


def told(events: list[Any]) -> list[Any]:
    return [(e.step, e.epoch, e.metrics, e.train_loss, e.best) for e in events]


@pytest.mark.parametrize(
    "values",
    [
        TABLE,
        ENSEMBLE,
        IMAGES,
        RECIPES,
        MASKS,
        BOXES,
        pytest.param(DENOISED_BOXES, marks=pytest.mark.slow),
    ],
    ids=[
        "table",
        "ensemble",
        "images",
        "recipes of images",
        "masks",
        "boxes",
        "denoised boxes",
    ],
)
def test_a_run_continues_from_any_update_with_the_same_bits(
    bench: Make, values: dict[str, Any]
) -> None:
    values = copy.deepcopy(values)
    values["train"]["save_steps"] = 1
    whole = bench(values)
    whole.trainer.run()
    end = timeless(whole.state.state_dict())
    assert whole.trainer.schedule.steps >= 10
    for at in random.Random(0).sample(range(1, whole.trainer.schedule.steps), 4):
        first = bench(values, interrupted=lambda state, at=at: state.position.step == at)
        first.trainer.run()
        rest = bench(values, saved=written_and_read(first.saved[-1][1]))
        rest.trainer.run()
        assert same(timeless(rest.state.state_dict()), end), at
        assert told(first.of(Evaluated)) + told(rest.of(Evaluated)) == told(whole.of(Evaluated))


def long(**train: Any) -> RunConfig:
    """Some hundred updates with a checkpoint every five."""
    values = copy.deepcopy(TABLE)
    values["train"] |= {"epochs": 12, "batch_size": 8, "save_steps": 5, "eval_steps": 60} | train  # type: ignore[operator]
    return RunConfig.parse(values)


def final_state(run: RunDirectory) -> dict[str, Any]:
    found, state, damaged = checkpoint.load_newest(run.checkpoints)
    assert found is not None
    assert not damaged
    return timeless(state)


def await_step(handle: Handle, step: int) -> None:
    """Wait until the run has reported an update from ``step`` on, or has ended."""
    while handle.process.poll() is None:
        last = handle.run.events.last(Progress)
        if isinstance(last, Progress) and last.step >= step:
            return
        time.sleep(0.01)


def killed_and_resumed(config: RunConfig, kills: int, seed: int) -> RunDirectory:
    """Kill the worker ``kills`` times at random moments, each after some progress."""
    chance = random.Random(seed)
    handle = launch(config)
    reached = 0
    for _ in range(kills):
        await_step(handle, reached + chance.randint(5, 60))
        time.sleep(chance.random() * 0.05)
        assert handle.process.poll() is None, "the run ended before it was killed"
        handle.process.kill()
        handle.wait()
        assert handle.run.status.state() is State.LOST
        found, *_ = checkpoint.load_newest(handle.run.checkpoints)
        reached = found.step if found else 0
        handle = start(handle.run)
    assert handle.wait() == 0, handle.run.log.read_text()
    return handle.run


def assert_equal_runs(run: RunDirectory, whole: RunDirectory) -> None:
    assert same(final_state(run), final_state(whole))
    assert told(read_history(run).evaluations) == told(read_history(whole).evaluations)
    for name in ("network.safetensors", "fitted.json"):
        assert (run.model / name).read_bytes() == (whole.model / name).read_bytes()
    steps = [point.step for point in read_history(run).curve("loss", "train").points]
    assert steps == sorted(set(steps))


@pytest.mark.slow
def test_a_killed_worker_is_made_up_for_to_the_last_bit() -> None:
    config = long()
    run = killed_and_resumed(config, kills=2, seed=0)
    assert_equal_runs(run, train(config))
    starts = [event for event in run.events.newest(Started) if isinstance(event, Started)]
    assert len(starts) == 3
    assert starts[0].resumed_step > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_many_kills_are_made_up_for_to_the_last_bit(seed: int) -> None:
    config = long(seed=seed, epochs=20)
    assert_equal_runs(killed_and_resumed(config, 6, seed), train(config))


@pytest.mark.slow
def test_a_terminated_worker_leaves_a_checkpoint_to_resume_from() -> None:
    config = long(save_steps=0, epochs=40)
    handle = launch(config)
    await_step(handle, 100)
    handle.process.send_signal(signal.SIGTERM)
    assert handle.wait() == 143
    run = handle.run
    assert run.status.state() is State.INTERRUPTED
    last = next(run.events.newest())
    assert isinstance(last, Interrupted)
    assert last.step >= 100
    assert [found.step for found in checkpoint.found(run.checkpoints)] == [last.step]
    again = start(run)
    assert run.status.state() is State.RUNNING
    assert again.wait() == 0
    assert run.status.state() is State.FINISHED
    history = read_history(run)
    assert history.started is not None
    assert history.started.resumed_step == last.step
    assert_equal_runs(run, train(config))


def test_a_worker_terminated_before_it_trains_ends_as_interrupted() -> None:
    handle = launch(long(epochs=100_000))
    while handle.run.events.last(Started) is None:
        time.sleep(0.001)
    handle.process.send_signal(signal.SIGTERM)
    assert handle.wait() == 143
    assert handle.run.status.state() is State.INTERRUPTED


def test_a_run_that_continues_cannot_be_started_again() -> None:
    handle = launch(long(epochs=100_000))
    for _ in range(3):
        with pytest.raises(RunError, match="Another process"):
            start(handle.run)
    handle.stop()
    handle.process.terminate()
    handle.wait()


def test_of_several_who_start_a_run_at_once_one_does(home: Path) -> None:
    run = RunDirectory.create(runs_folder(), long(epochs=100_000))  # also for those who come late
    program = (
        "import sys; from pathlib import Path; from engine.launch.start import start;"
        "from engine.runs.directory import RunDirectory;"
        "sys.stdin.readline(); start(RunDirectory(Path(sys.argv[1])))"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(run.path)],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(6)
    ]  # fmt: skip
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    errors = [starter.communicate()[1] for starter in starters]
    assert sum(starter.returncode == 0 for starter in starters) == 1
    assert sum("Another process already works" in error for error in errors) == 5
    run.requests.send(Request(control.STOP))
    while run.status.state() is State.RUNNING:
        time.sleep(0.05)
    assert run.status.state() is State.STOPPED
    assert len(list(run.events.newest(Started))) == 1


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before() -> None:
    config = long(epochs=2)
    run = train(config)
    newest, before = checkpoint.found(run.checkpoints)
    state = bytearray((newest.path / "state.pt").read_bytes())
    state[len(state) // 2] ^= 1
    (newest.path / "state.pt").write_bytes(state)
    train(config, run)
    warnings = [event for event in run.events.newest(Log) if isinstance(event, Log)]
    assert any(newest.path.name in event.message for event in warnings)
    started = run.events.last(Started)
    assert isinstance(started, Started)
    assert started.resumed_step == before.step
    assert_equal_runs(run, train(config))


def kept(folder: Path) -> list[int]:
    return [found.step for found in checkpoint.found(folder)]


def test_the_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in range(1, 6):
        checkpoint.save(tmp_path, step, {"x": torch.zeros(3)}, keep=2)
    assert kept(tmp_path) == [5, 4]


def test_a_checkpoint_of_a_future_that_did_not_come_is_removed(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 9, {}, keep=1)
    (tmp_path / "step-000000009" / "state.pt").write_bytes(b"damaged")
    checkpoint.save(tmp_path, 5, {"x": 1}, keep=1)
    assert kept(tmp_path) == [5]


def test_a_checkpoint_without_its_manifest_is_none(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, {}, keep=2)
    checkpoint.save(tmp_path, 2, {}, keep=2)
    (tmp_path / "step-000000002" / "manifest.json").unlink()
    assert kept(tmp_path) == [1]


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, 1, {"x": torch.zeros(3)}, keep=2)
    if os.geteuid() == 0:
        # Root may write anywhere; a file in place of the folder stops even root.
        (tmp_path / ".step-000000002.writing").write_text("")
    else:
        tmp_path.chmod(0o500)
    with pytest.raises(TrainingError, match="Cannot write a checkpoint"):
        checkpoint.save(tmp_path, 2, {"x": torch.zeros(3)}, keep=2)
    tmp_path.chmod(0o700)
    assert kept(tmp_path) == [1]


def test_a_checkpoint_executes_nothing(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    checkpoint.save(tmp_path, 1, {"x": Bomb()}, keep=1)
    newest, state, damaged = checkpoint.load_newest(tmp_path)
    assert (newest, state) == (None, {})
    assert [bad.step for bad in damaged] == [1]
    assert not (tmp_path / "exploded").exists()


def test_a_checkpoint_of_another_network_is_refused_with_a_way_out(home: Path) -> None:
    run = RunDirectory.create(runs_folder(), long())
    state = {"position": {}, "network": {"x": torch.zeros(1)}}
    checkpoint.save(run.checkpoints, 1, state, keep=1)
    with pytest.raises(TrainingError, match="does not suit the configuration"):
        train(run.config.read(), run)
    assert run.status.state() is State.FAILED


def test_a_checkpoint_that_replaces_another_leaves_it_until_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(tmp_path, 7, {"x": 1}, keep=1)
    rename = Path.rename

    def killed(path: Path, target: Path) -> Path:
        if path.name.endswith(".writing"):
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(tmp_path, 7, {"x": 2}, keep=1)
    monkeypatch.undo()
    assert checkpoint.load_newest(tmp_path)[1] == {"x": 1}
    checkpoint.save(tmp_path, 7, {"x": 3}, keep=1)
    assert checkpoint.load_newest(tmp_path)[1] == {"x": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000007"]


def test_what_a_killed_writer_left_does_not_pile_up(tmp_path: Path) -> None:
    for step in (3, 4):
        (tmp_path / f".step-00000000{step}.writing").mkdir()
    checkpoint.save(tmp_path, 9, {"x": 1}, keep=2)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000009"]


def test_a_run_continues_with_the_words_that_it_began_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tokenizer that is trained again may number the tokens of the data differently."""
    values = {
        "name": "words",
        "task": {"kind": "text_classification"},
        "data": {"kind": "builtin", "name": "docstrings", "max_samples": 60},
        "model": {"kind": "transformer", "hidden_size": 16, "num_attention_heads": 2},
        "train": {"max_steps": 2, "batch_size": 8},
        "compute": {"device": "cpu", "threads": 1},
    }
    config = RunConfig.parse(values)
    run = RunDirectory.create(runs_folder(), config)
    train(config, run)
    began = run.fitted.read_text()

    def fit(*_: object) -> None:
        raise AssertionError("fitted once more")

    monkeypatch.setattr(create_pipeline(config).__class__, "fit", fit)
    train(config, run)
    assert run.status.state() is State.FINISHED
    assert run.fitted.read_text() == began
