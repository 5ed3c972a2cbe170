"""The bars of a run tell each phase with a progress of its own, also after the last update."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.runs.events import (
    BASELINES,
    EXPORTING,
    Data,
    Evaluated,
    Event,
    Finished,
    Model,
    Progress,
    Started,
)
from engine.runs.history import History
from tui.format.run_progress import phase_name, shares


def progress(time: float, step: int, phase: str = "train", share: float = 0.0) -> Progress:
    return Progress(
        time=time, step=step, steps=100, epoch=step / 50, epochs=2, seconds=float(step), loss=0.5,
        learning_rate=0.1, phase=phase, share=share,
    )  # fmt: skip


def bars(*events: Event) -> tuple[tuple[str, float, str], tuple[str, float, str]]:
    history = History()
    history.apply_all(events)
    return shares(history)


def test_time_is_left_of_the_epoch_and_of_the_run_while_it_trains() -> None:
    assert bars(progress(0, 75)) == (
        ("Epoch 2/2", 0.5, "25 s left"),
        ("Step 75/100", 0.75, "25 s left of 1:40"),
    )


def test_an_evaluation_has_its_own_share_and_time() -> None:
    first, whole = bars(progress(0, 50, "validation"), progress(6, 50, "validation", 0.75))
    assert first == ("Validating", 0.75, "2 s left")
    assert whole == ("Step 50/100", 0.5, "1:00 left of 1:56")


@pytest.mark.parametrize(
    ("phase", "name"),
    [("test", "Testing"), (BASELINES, "Fitting baseline"), (EXPORTING, "Exporting")],
)
@pytest.mark.parametrize("step", [100, 30])
def test_after_the_last_update_no_time_is_left_and_the_phase_is_told(
    phase: str, name: str, step: int
) -> None:
    first, whole = bars(progress(0, step), progress(1, step, phase))
    assert first == (name, 0.0, "")
    assert whole[2] == "finishing"


def test_nothing_is_left_of_an_epoch_that_was_the_last() -> None:
    first, whole = bars(progress(0, 100))
    assert (first[2], whole[2]) == ("", "finishing")


def validated(step: int, seconds: float) -> Evaluated:
    return Evaluated(
        time=seconds, step=step, epoch=step / 50, split="validation", metrics={}, seconds=seconds
    )


def test_the_test_is_foreseen_from_the_last_validation_and_told_while_it_runs() -> None:
    data = Data(time=0, summary={"rows": {"train": 100, "validation": 10, "test": 30}})
    so_far = [data, progress(0, 50), validated(50, 54.0)]  # 4 s for 10 rows, so 12 s for 30
    assert bars(*so_far, progress(55, 75))[1][2] == "37 s left of 1:52"
    assert bars(*so_far, progress(80, 100))[1][2] == "finishing, 12 s left"
    testing = [progress(80, 100, "test"), progress(83, 100, "test", 0.25)]
    assert bars(*so_far, *testing)[1][2] == "finishing, 9 s left"
    tested = replace(validated(100, 92.0), split="test")
    assert bars(*so_far, *testing, tested, progress(95, 100, EXPORTING))[1][2] == "finishing"


def test_export_and_baselines_are_counted_and_told_while_they_run() -> None:
    expected = {"exporting_seconds": 4.0, "baselines_seconds": 20.0}
    model = Model(time=0, name="mlp", parameters=9, trainable=9, steps=100, epochs=2, **expected)
    assert bars(model, progress(0, 75))[1][2] == "49 s left of 2:04"
    assert bars(model, progress(0, 100))[1][2] == "finishing, 24 s left"
    fitting = [progress(90, 100, BASELINES), progress(95, 100, BASELINES, 0.25)]
    first, whole = bars(model, *fitting)
    assert first == ("Fitting baseline", 0.25, "15 s left")
    assert whole[2] == "finishing, 15 s left"
    overdue = bars(model, *fitting, progress(120, 100, BASELINES, 0.99))
    assert overdue[0] == ("Fitting baseline", 0.99, "longer than expected")
    assert overdue[1][2] == "finishing"


def test_a_run_that_has_ended_tells_its_time() -> None:
    end = Finished(time=131, step=100, seconds=100, reason="completed", metrics={})
    assert bars(progress(1, 100, EXPORTING), end)[1][2] == "trained 1:40 of 2:10"


def test_a_split_of_any_name_is_evaluated() -> None:
    assert phase_name("january") == "Evaluating january"


STARTED = Started(time=0, device="cpu", precision="float32", threads=1)
DATA = Data(time=1, summary={"rows": {"train": 100}})
MODEL = Model(time=2, name="mlp", parameters=9, trainable=9, steps=100, epochs=2)


def test_the_preparations_of_a_resumed_run_are_told_until_its_first_update() -> None:
    resumed = replace(STARTED, time=90, resumed_step=50)
    so_far = [STARTED, DATA, MODEL, progress(50, 50), progress(51, 50, EXPORTING, 0.5)]
    told = [(resumed, "reading the data"), (DATA, "building the network"), (MODEL, "first update")]
    for event, text in told:
        so_far.append(event)
        assert bars(*so_far) == (("Epoch 2/2", 0.0, ""), ("Step 50/100", 0.5, text))
    assert bars(*so_far, progress(95, 51))[1][2] == "49 s left of 1:40"


def test_a_network_that_is_built_anew_while_it_trains_is_no_preparation() -> None:
    assert bars(STARTED, DATA, MODEL, progress(75, 75), MODEL)[1][2] == "25 s left of 1:40"


def test_no_time_is_left_of_a_run_whose_process_is_gone() -> None:
    history = History()
    history.apply_all([STARTED, DATA, MODEL, progress(75, 75), progress(76, 75, EXPORTING, 0.5)])
    first, whole = shares(history, over=True)
    assert first == ("Epoch 2/2", 0.5, "")
    assert whole[2].startswith("trained")


def test_a_process_without_an_event_of_its_own_is_starting() -> None:
    history = History()
    history.apply_all([STARTED, DATA, MODEL, progress(75, 75)])
    assert shares(history, starting=True)[1] == ("Step 75/100", 0.75, "starting")


def test_the_time_between_the_processes_of_a_run_is_no_time_of_it() -> None:
    resumed = replace(STARTED, time=10_000, resumed_step=75)
    ended = Finished(time=10_025, step=100, seconds=100, reason="completed", metrics={})
    history = History()
    history.apply_all([STARTED, progress(75, 75), resumed, progress(10_025, 100), ended])
    assert history.seconds == 100
