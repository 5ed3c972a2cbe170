"""What a trial's run has written reaches the study, whether its progress was told or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from engine.config.metric import LOSS
from engine.config.presets import find_preset, load_preset
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Event, Finished, Model, Progress, encode
from engine.sweep.trial_run import TrialRun

MODEL = Model(time=1.0, name="mlp", parameters=9, trainable=9, steps=80, epochs=4)
Make = Callable[..., tuple[optuna.Study, TrialRun]]


def evaluated(
    step: int, loss: float | None, split: str = "validation", best: bool = False
) -> Evaluated:
    metrics = {} if loss is None else {"loss": loss}
    return Evaluated(time=2.0, step=step, epoch=1.0, split=split, metrics=metrics, best=best)


def progress(step: int, steps: int) -> Progress:
    return Progress(
        time=2.0, step=step, steps=steps, epoch=1.0, epochs=4, seconds=1.0, loss=0.5,
        learning_rate=0.1, phase="train",
    )  # fmt: skip


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(
        *events: Event, pruner: optuna.pruners.BasePruner | None = None
    ) -> tuple[optuna.Study, TrialRun]:
        study = optuna.create_study(pruner=pruner or optuna.pruners.NopPruner())
        run = RunDirectory.create(tmp_path, load_preset(find_preset("wine-mlp")))
        run.events.path.write_text("".join(encode(event) + "\n" for event in events))
        return study, TrialRun(0, run, study.ask())

    return made


def test_evaluations_count_at_the_share_of_the_planned_updates(make: Make) -> None:
    events = [
        MODEL, evaluated(0, 9.0), evaluated(20, 4.0), progress(30, 80), evaluated(40, 3.0),
        progress(50, 160),  # the epochs were doubled meanwhile
        evaluated(60, 1.0, "test"), evaluated(100, None), evaluated(120, 2.0),
    ]  # fmt: skip
    study, trial = make(*events)
    assert not trial.over(study, LOSS)
    assert study.trials[0].intermediate_values == {25: 4.0, 50: 3.0, 75: 2.0}


def test_of_many_evaluations_within_a_hundredth_the_first_counts(
    make: Make, recwarn: pytest.WarningsRecorder
) -> None:
    plan = replace(MODEL, steps=1000)
    study, trial = make(plan, evaluated(501, 3.0), evaluated(503, 2.0), evaluated(520, 1.0))
    assert not trial.over(study, LOSS)
    assert study.trials[0].intermediate_values == {50: 3.0, 52: 1.0}
    assert not [warning for warning in recwarn if "already reported" in str(warning.message)]


def test_the_best_evaluation_is_the_value_of_a_run_that_ended(make: Make) -> None:
    end = Finished(time=9.0, step=80, seconds=1.0)
    study, trial = make(MODEL, evaluated(40, 0.25, best=True), evaluated(80, 0.5), end)
    assert trial.over(study, LOSS)
    [found] = study.trials
    assert (found.state, found.value) == (TrialState.COMPLETE, 0.25)
    assert found.user_attrs["cut"] is False


def test_a_run_without_the_metric_has_failed(make: Make) -> None:
    study, trial = make(MODEL, evaluated(40, None), Finished(time=9.0, step=80, seconds=1.0))
    assert trial.over(study, LOSS)
    assert study.trials[0].state is TrialState.FAIL


def test_a_run_that_the_user_deletes_has_failed(make: Make) -> None:
    study, trial = make(MODEL, evaluated(40, 0.25, best=True))
    folder = trial.run.path.parent
    folder.rename(folder.with_name("unmounted"))
    assert not trial.over(study, LOSS)
    folder.with_name("unmounted").rename(folder)
    trial.run.delete()
    trial.stop()
    assert trial.over(study, LOSS)
    assert study.trials[0].state is TrialState.FAIL


def test_a_trial_that_is_pruned_is_asked_to_stop_and_has_no_value(make: Make) -> None:
    never = optuna.pruners.ThresholdPruner(upper=1.0)
    events = [MODEL, evaluated(20, 0.5), evaluated(40, 2.0), evaluated(60, 0.25)]
    study, trial = make(*events, pruner=never)
    assert not trial.over(study, LOSS)
    assert trial.pruned
    assert [request.action for request in trial.run.requests.take()] == ["stop"]
    with trial.run.events.path.open("a") as file:
        file.write(encode(Finished(time=9.0, step=60, seconds=1.0)) + "\n")
    assert trial.over(study, LOSS)
    [found] = study.trials
    assert found.state is TrialState.PRUNED
    assert found.intermediate_values == {25: 0.5, 50: 2.0}


def test_a_trial_whose_updates_are_all_made_is_not_pruned(make: Make) -> None:
    never = optuna.pruners.ThresholdPruner(upper=1.0)
    end = Finished(time=9.0, step=80, seconds=1.0)
    events = [MODEL, evaluated(40, 0.25, best=True), evaluated(80, 2.0), end]
    study, trial = make(*events, pruner=never)
    assert trial.over(study, LOSS)
    [found] = study.trials
    assert (found.state, found.value) == (TrialState.COMPLETE, 0.25)
