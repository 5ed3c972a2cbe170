"""The time of a run before it starts: from runs with like settings, or from measured updates."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.processes.identity import ProcessIdentity
from engine.reports.estimate import Estimate, Memory
from engine.reports.speed import Speed
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Event, EventLog, Finished, Progress, Started
from engine.runs.speed import speed_of_like_runs, speed_so_far
from tui.format.run_time import run_time

START = Started(device="cpu", precision="float32", threads=2, time=100.0)
ESTIMATE = Estimate(
    parameters=1, trainable=1, steps=40, steps_per_epoch=10, samples=100, device="cpu",
    precision="float32", memory=Memory(1, 1, 1, 1, 1), available=100, largest_batch=1, adapter=0,
    disk=0, disk_free=1, evaluations=4,
)  # fmt: skip


def config(**train: Any) -> RunConfig:
    return RunConfig.parse(
        {
            "task": {"kind": "tabular_classification"},
            "data": {"kind": "builtin", "name": "iris"},
            "model": {"kind": "mlp", "hidden": [16, 8]},
            "train": {"epochs": 4, "batch_size": 10} | train,
        }
    )


def progress(step: int, seconds: float, phase: str = "train") -> Progress:
    return Progress(
        step=step, steps=40, epoch=step / 10, epochs=4, loss=1.0, learning_rate=0.1,
        seconds=seconds, time=110.0 + seconds, phase=phase,
    )  # fmt: skip


def evaluated(step: int, seconds: float) -> Evaluated:
    return Evaluated(step=step, epoch=1.0, split="validation", metrics={}, seconds=seconds)


def run_of(folder: Path, made: RunConfig, events: Iterable[Event], here: bool = True) -> None:
    run = RunDirectory.create(folder, made)
    worker = ProcessIdentity.own()
    run.status.set_worker(worker if here else replace(worker, host="elsewhere"))
    with EventLog(run.events.path) as log:
        for event in events:
            log.write(event)


def course(update: float) -> list[Event]:
    """Forty updates after ten seconds of preparation; five more seconds until the end."""
    end = 40 * update
    first, last = progress(1, update), progress(40, end)
    testing = replace(progress(40, end, "test"), time=last.time + 2)
    return [START, first, last, testing, Finished(step=40, seconds=end, time=last.time + 5)]


def speed(folder: Path, **train: Any) -> Speed | None:
    return speed_of_like_runs(config(**train), START, 10, folder)


def test_an_evaluation_is_told_from_the_updates_around_it() -> None:
    events = [
        START, progress(2, 30.0), progress(4, 31.0), progress(8, 33.0), evaluated(9, 40.0),
        progress(10, 40.5),
    ]  # fmt: skip
    # Two seconds for four updates; 7.5 for two of them and the evaluation. The first two updates
    # took long, as first ones do.
    assert speed_so_far(events) == Speed(update=0.5, evaluation=6.5)


def test_updates_have_a_share_of_evaluations_that_come_faster_than_reports() -> None:
    events = [START, progress(2, 3.0), evaluated(3, 3.2), progress(6, 5.0)]
    assert speed_so_far(events) == Speed(update=0.5)
    assert speed_so_far(events[:2]) is None


def test_like_runs_give_the_median_of_their_speeds(tmp_path: Path) -> None:
    for update in (1.0, 9.0, 2.0):
        run_of(tmp_path, config(seed=int(update), learning_rate=0.01, epochs=7), course(update))
    assert speed(tmp_path) == Speed(update=2.0, around=15.0, runs=3)


@pytest.mark.parametrize(
    "changed", [{"batch_size": 20}, {"eval_steps": 3}, {"optimizer": "sgd"}, {"ema_decay": 0.9}]
)
def test_runs_with_other_settings_do_not_count(tmp_path: Path, changed: dict[str, Any]) -> None:
    run_of(tmp_path, config(**changed), course(1.0))
    assert speed(tmp_path) is None
    assert speed(tmp_path, **changed) is not None


def test_runs_of_other_machines_and_devices_do_not_count(tmp_path: Path) -> None:
    run_of(tmp_path, config(), course(1.0), here=False)
    for other in (replace(START, device="NVIDIA H200"), replace(START, threads=1)):
        run_of(tmp_path, config(), [other, *course(1.0)[1:]])
    assert speed(tmp_path) is None


def test_runs_that_ended_early_or_on_other_rows_do_not_count(tmp_path: Path) -> None:
    part = [START, progress(5, 5.0), Finished(step=5, seconds=5.0)]
    run_of(tmp_path, config(), part)
    run_of(tmp_path, config(), course(1.0)[:-1])
    assert speed(tmp_path) is None
    run_of(tmp_path, config(), course(1.0))
    assert speed_of_like_runs(config(), START, 25, tmp_path) is None
    assert speed(tmp_path) is not None


def test_an_automatic_strategy_is_like_the_one_that_it_came_to(tmp_path: Path) -> None:
    run_of(tmp_path, config(strategy="ddp"), course(1.0))
    assert speed(tmp_path) is not None
    assert speed(tmp_path, strategy="fsdp") is None


def test_the_time_is_said_with_its_source() -> None:
    assert run_time(ESTIMATE) == ""
    known = replace(ESTIMATE, speed=Speed(update=2.0, around=15.0, runs=3))
    assert run_time(known) == "about 1:35, 20 s an epoch (by 3 earlier runs)"
    measured = replace(ESTIMATE, speed=Speed(update=0.125, evaluation=0.25))
    assert run_time(measured) == "about 6 s of training, 1.5 s an epoch (measured)"
    assert Estimate.from_record(known.record()) == known


def test_nothing_is_notified_of_where_the_environment_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.loggers import base
    from engine.loggers.notify_settings import NotifySettings

    monkeypatch.setattr(base, "read_notify_settings", lambda: NotifySettings(urls=("json://x",)))
    connected: list[RunDirectory] = []
    monkeypatch.setattr(base, "Notifier", lambda run, _: connected.append(run))
    monkeypatch.setitem(os.environ, "DLTUI_NOTIFY", "off")
    run = RunDirectory.create(tmp_path, config())
    with EventLog(run.events.path) as log, base.notified(run, log):
        assert not connected
