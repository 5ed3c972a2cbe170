"""The selection of the run to resume."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import RunConfig
from engine.config.presets import find_preset, load_preset
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, EventLog, Failed, Finished, Interrupted, Stopped
from engine.runs.resume import newest_like


def wine(*assignments: str) -> RunConfig:
    return load_preset(find_preset("wine-mlp"), assignments)


def ended(folder: Path, config: RunConfig, event: Event) -> RunDirectory:
    run = RunDirectory.create(folder, config)
    with EventLog(run.events.path) as events:
        events.write(event)
    return run


def test_the_newest_run_of_the_same_configuration_is_found(tmp_path: Path) -> None:
    ended(tmp_path, wine(), Interrupted(step=1, seconds=1.0))
    newest = ended(tmp_path, wine(), Interrupted(step=2, seconds=1.0))
    ended(tmp_path, wine("train.epochs=7"), Interrupted(step=1, seconds=1.0))

    found = newest_like(tmp_path, wine())

    assert found is not None
    assert found.path == newest.path
    assert newest_like(tmp_path, wine("train.epochs=8")) is None


@pytest.mark.parametrize(
    "event", [Finished(step=1, seconds=1.0), Stopped(step=1, seconds=1.0)], ids=lambda e: e.kind
)
def test_a_run_that_is_done_is_found_rather_than_one_before_it(
    tmp_path: Path, event: Event
) -> None:
    ended(tmp_path, wine(), Interrupted(step=1, seconds=1.0))
    done = ended(tmp_path, wine(), event)

    found = newest_like(tmp_path, wine())

    assert found is not None
    assert found.path == done.path


def test_a_run_that_failed_counts_once_it_has_a_checkpoint(tmp_path: Path) -> None:
    failed = ended(tmp_path, wine(), Failed(message="x"))
    assert newest_like(tmp_path, wine()) is None
    (failed.checkpoints / "step-000000001").mkdir()
    assert newest_like(tmp_path, wine()) is not None


def test_a_run_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    run = ended(tmp_path, wine(), Interrupted(step=1, seconds=1.0))
    config = run.path / "config.toml"
    config.write_text(config.read_text() + "\n[later]\nfield = 1\n")

    assert newest_like(tmp_path, wine()) is None


def test_a_run_is_found_by_what_it_was_asked_for_whatever_it_found_since(tmp_path: Path) -> None:
    run = ended(tmp_path, wine(), Interrupted(step=1, seconds=1.0))
    for size in (16, 8):
        before = run.config.read()
        run.config.settle(before.override([f"train.batch_size={size}"]), before)

    assert run.config.read().train.batch_size == 8
    assert run.config.asked() == wine().anchored()
    found = newest_like(tmp_path, wine())
    assert found is not None
    assert found.path == run.path
