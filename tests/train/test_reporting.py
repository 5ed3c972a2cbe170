"""A run's metrics reach the loggers, and no failure of a logger stops the run."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import engine.loggers.base
from engine import RunConfig, train
from engine.errors import TrainingError
from engine.files.paths import runs_folder
from engine.loggers.tensorboard import FOLDER
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Evaluated, Event, Log, Progress
from engine.runs.session import RunSession
from engine.runs.status import State

TABLE = {
    "name": "table",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "wine"},
    "model": {"kind": "mlp", "hidden": [8]},
    "train": {"epochs": 3, "report_to": ["tensorboard"]},
    "compute": {"device": "cpu", "threads": 1},
}


def curves(run: RunDirectory) -> dict[str, list[tuple[int, float]]]:
    """All scalars that TensorBoard itself reads of a run."""
    from tensorboard.backend.event_processing.event_accumulator import (
        TENSORS,
        EventAccumulator,
    )
    from tensorboard.util.tensor_util import make_ndarray

    found = EventAccumulator(str(run.path / FOLDER), size_guidance={TENSORS: 0})
    found.Reload()
    return {
        tag: [(point.step, float(make_ndarray(point.tensor_proto))) for point in found.Tensors(tag)]
        for tag in found.Tags()["tensors"]
    }


def test_tensorboard_reads_the_losses_and_metrics_of_the_run() -> None:
    run = train(RunConfig.parse(TABLE))
    found = curves(run)
    evaluated = [e for e in run.events.newest(Evaluated) if e.split == "validation"][::-1]
    for name in evaluated[0].metrics:
        points = found[f"validation/{name}"]
        assert [step for step, _ in points] == [event.step for event in evaluated]
        expected = [event.metrics[name] for event in evaluated]
        assert [value for _, value in points] == pytest.approx(expected, rel=1e-6)
    assert "test/accuracy" in found
    told = [(e.step, e.loss) for e in run.events.newest(Progress) if e.phase == "train"][::-1]
    assert [step for step, _ in found["train/loss"]] == [step for step, _ in told]
    assert [v for _, v in found["train/loss"]] == pytest.approx([loss for _, loss in told])


def test_what_was_reported_before_is_not_reported_again() -> None:
    config = RunConfig.parse(TABLE)
    run = RunDirectory.create(runs_folder(), config)
    train(config, run)
    train(config, run)  # resumes from the last checkpoint, with no updates left
    steps = [step for step, _ in curves(run)["validation/accuracy"]]
    assert len(steps) == 3


def test_nothing_is_written_without_being_asked_for() -> None:
    run = train(RunConfig.parse(TABLE).override(["train.report_to=[]"]))
    assert not (run.path / FOLDER).exists()
    assert "tensorboard" not in str(run.config.text())


def test_a_missing_package_is_reported_before_the_training_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    with pytest.raises(TrainingError, match=r"tensorboard is missing.*dltui\[tensorboard\]"):
        train(RunConfig.parse(TABLE))
    run = all_runs(runs_folder())[0]
    assert run.status.state() is State.FAILED
    assert run.events.last(Progress) is None


class Breaking:
    """A logger that fails after a few reports."""

    def __init__(self, session: RunSession) -> None:
        self.left = 2

    def report(self, event: Event) -> None:
        self.left -= 1
        if not self.left:
            raise ConnectionError("nobody is there")

    def flush(self) -> None: ...

    def close(self) -> None: ...


def test_a_destination_that_fails_does_not_harm_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.loggers.base, "DESTINATIONS", {"tensorboard": Breaking})
    run = train(RunConfig.parse(TABLE))
    assert run.status.state() is State.FINISHED
    warnings: list[Any] = [
        event.message for event in run.events.newest(Log) if event.level == "warning"
    ]
    assert warnings == ["Nothing more is reported to tensorboard: ConnectionError: nobody is there"]


def test_a_folder_that_cannot_be_made_does_not_harm_the_run() -> None:
    config = RunConfig.parse(TABLE)
    run = RunDirectory.create(runs_folder(), config)
    (run.path / FOLDER).write_text("no folder")
    train(config, run)
    assert run.status.state() is State.FINISHED
    assert "FileExistsError" in next(event.message for event in run.events.newest(Log))


def records(content: bytes) -> Iterator[bytes]:
    """The unsent records of a run in wandb's log, which has the format of LevelDB."""
    place, so_far = 7, b""
    while place + 7 <= len(content):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        size, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        so_far += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):  # a complete record, or its last part
            yield so_far
            so_far = b""


def history(run: RunDirectory) -> list[dict[str, Any]]:
    from wandb.proto import wandb_internal_pb2

    (path,) = run.path.glob("wandb/offline-run-*/run-*.wandb")
    found = []
    for data in records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            items = record.history.item
            found.append({i.key or i.nested_key[0]: json.loads(i.value_json) for i in items})
    return found


def test_wandb_gets_losses_and_metrics_and_no_secret_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("wandb").teardown()
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    run = train(RunConfig.parse(TABLE).override(['train.report_to=["wandb"]']))
    assert run.status.state() is State.FINISHED
    assert [event.message for event in run.events.newest(Log) if event.level != "info"] == []
    told = {(row["update"], row["validation/accuracy"]) for row in history(run)
            if "validation/accuracy" in row}  # fmt: skip
    expected = {(event.step, event.metrics["accuracy"]) for event in run.events.newest(Evaluated)
                if event.split == "validation"}  # fmt: skip
    assert told == expected
    files = [path for path in run.path.rglob("*") if path.is_file()]
    assert not any(b"0123456789" * 4 in path.read_bytes() for path in files)


def test_a_run_does_not_wait_for_somebody_to_log_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("wandb").teardown()  # wandb reads its mode only once
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("HOME", str(tmp_path))
    run = train(RunConfig.parse(TABLE).override(['train.report_to=["wandb"]']))
    assert run.status.state() is State.FINISHED
    assert "Nothing more is reported to wandb" in next(
        event.message for event in run.events.newest(Log)
    )


def test_trackio_gets_the_losses_and_metrics_of_a_run_that_was_resumed(tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    script = f"""
from engine import RunConfig, train
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Log
config = RunConfig.parse({TABLE | {"train": {"epochs": 3, "report_to": ["trackio"]}}!r})
run = RunDirectory.create(runs_folder(), config)
train(config, run)
train(config, run)  # resumes from the last checkpoint, with no updates left
import trackio
(found,) = trackio.Api().runs("dltui")
events = [e for e in run.events.newest(Evaluated) if e.split == "validation"][::-1]
from trackio.sqlite_storage import SQLiteStorage
rows = SQLiteStorage.get_logs("dltui", found.name, run_id=found.id)
told = [(row["step"], row["validation/accuracy"]) for row in rows if "validation/accuracy" in row]
assert told == [(e.step, e.metrics["accuracy"]) for e in events], told
assert found.name == run.id
assert [e.message for e in run.events.newest(Log) if e.level == "warning"] == []
"""
    environment = os.environ | {
        "TRACKIO_DIR": str(tmp_path / "trackio"),
        "HOME": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "trackio").is_dir()
