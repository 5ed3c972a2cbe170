"""The time that a run still takes: its updates, its test, and what comes after them."""

from __future__ import annotations

import pytest

from engine.runs.events import (
    BASELINES,
    EXPORTING,
    Controlled,
    Data,
    Evaluated,
    Event,
    Model,
    Progress,
    Started,
)
from engine.runs.history import History
from engine.runs.time_left import phase_seconds_left, seconds_left

DATA = Data(time=0, summary={"rows": {"train": 100, "validation": 10, "test": 30}})
MODEL = Model(
    time=0, name="mlp", parameters=9, trainable=9, steps=100, epochs=10,
    exporting_seconds=3.0, baselines_seconds=8.0,
)  # fmt: skip


def progress(
    time: float, phase: str = "train", share: float = 0.0, step: int | None = None
) -> Progress:
    """After 100 s come the phases without updates."""
    step = min(int(time), 100) if step is None else step
    return Progress(
        time=time, step=step, steps=100, epoch=step / 10, epochs=10, loss=1.0, seconds=float(step),
        learning_rate=0.1, phase=phase, share=share,
    )  # fmt: skip


def evaluated(split: str, step: int, seconds: float) -> Evaluated:
    return Evaluated(
        time=seconds, split=split, step=step, epoch=step / 10, metrics={}, seconds=seconds
    )


def left(*events: Event) -> float | None:
    history = History()
    history.apply_all(events)
    return seconds_left(history)


def test_updates_go_on_at_the_mean_pace() -> None:
    assert left(progress(25)) == 75.0


def test_nothing_is_known_before_the_first_update() -> None:
    assert left(DATA, MODEL) is None
    assert left(progress(0)) is None


def test_the_test_split_the_export_and_the_baselines_are_foreseen() -> None:
    validation = evaluated("validation", 50, 52.0)  # 2 s for 10 rows, so 6 s for 30
    so_far = [DATA, MODEL, progress(50), validation]
    assert left(*so_far, progress(75)) == 25.0 + 6.0 + 3.0 + 8.0
    assert left(*so_far, progress(100)) == 6.0 + 3.0 + 8.0
    assert left(*so_far, progress(101, "test")) == 6.0 + 3.0 + 8.0
    halfway = [progress(101, "test"), progress(103, "test", 0.5)]
    assert left(*so_far, *halfway) == 2.0 + 3.0 + 8.0
    tested = [*so_far, *halfway, evaluated("test", 100, 105.0)]
    assert left(*tested) == 2.0 + 3.0 + 8.0
    assert left(*tested, progress(106, "forgetting")) == 3.0 + 8.0
    assert left(*tested, progress(106, EXPORTING)) == 3.0 + 8.0
    exporting = [*tested, progress(106, EXPORTING), progress(107, EXPORTING, 0.25)]
    assert left(*exporting) == 3.0 + 8.0
    assert left(*exporting, progress(109, BASELINES)) == 8.0
    assert left(*exporting, progress(109, BASELINES), progress(113, BASELINES, 0.5)) == 4.0


def test_no_update_is_left_of_a_run_that_ended_early() -> None:
    early = [MODEL, progress(30), progress(31, "test", step=30)]
    assert left(*early) == 3.0 + 8.0
    tested = evaluated("test", 30, 32.0)
    assert left(*early, tested, progress(33, "forgetting", step=30)) == 3.0 + 8.0


def test_runs_that_recorded_no_expected_times_count_what_they_know() -> None:
    assert left(DATA, progress(100), progress(101, EXPORTING)) == 0.0


def test_the_time_that_a_phase_still_takes_is_told_by_its_own_progress() -> None:
    history = History()
    history.apply(progress(100))
    assert phase_seconds_left(history) is None
    history.apply(progress(200, "test", 0.1))
    assert phase_seconds_left(history) is None
    history.apply(progress(210, "test", 0.3))
    assert phase_seconds_left(history) == pytest.approx(35.0)  # 0.2 in 10 s, 0.7 to go
    history.apply(progress(211, "validation", 0.5))
    assert phase_seconds_left(history) is None


def test_an_evaluation_that_is_under_way_is_counted_and_slows_what_follows() -> None:
    begun = [progress(50), progress(50, "validation", 0.25, step=50)]
    assert left(*begun) == 50.0  # nothing tells yet what it takes
    under_way = [*begun, progress(55, "validation", 0.5, step=50)]
    assert left(*under_way) == 10.0 + (50 + 5 + 10) / 50 * 50
    last = [progress(100), progress(100, "validation", 0.25), progress(105, "validation", 0.5)]
    assert left(*last) == 10.0


def test_an_evaluation_that_has_just_begun_takes_as_long_as_the_one_before() -> None:
    so_far = [progress(50), evaluated("validation", 50, 52.0)]
    assert left(*so_far, progress(100, "validation")) == 2.0


def test_no_update_is_left_of_a_run_that_was_asked_to_stop() -> None:
    stopping = Controlled(time=51, request="stop", message="Stopping.")
    assert left(MODEL, progress(50), stopping) == 3.0 + 8.0
    resumed = Started(time=60, device="cpu", precision="float32", threads=1, resumed_step=50)
    assert left(progress(50), stopping, resumed, progress(75)) == 25.0
