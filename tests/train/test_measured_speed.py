"""The measurement of a configuration's speed, by a run that is not kept."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pytest

from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.launch.measure import measure_speed

DIGITS = RunConfig.parse(
    {
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "cnn", "channels": [4]},
        "train": {"epochs": 100_000},
        "compute": {"device": "cpu"},
    }
)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which runs are measured."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.slow
def test_updates_and_an_evaluation_are_measured_and_nothing_is_kept(temporary: Path) -> None:
    told: list[int] = []
    speed = measure_speed(DIGITS, told.append, threading.Event())
    assert speed is not None
    assert 0 < speed.update < 1
    assert told
    assert not list(temporary.iterdir())
    assert not runs_folder().exists()


def test_a_measurement_that_is_cancelled_leaves_nothing_behind(temporary: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    assert measure_speed(DIGITS, lambda updates: None, cancelled) is None
    assert not list(temporary.iterdir())


def test_a_run_without_updates_has_no_speed(temporary: Path) -> None:
    none = DIGITS.override(["train.max_steps=0"])
    with pytest.raises(UserError, match="no update to measure"):
        measure_speed(none, lambda updates: None, threading.Event())
    assert not list(temporary.iterdir())
