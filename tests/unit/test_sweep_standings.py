"""What a sweep shows of its trials, and the time that each of them gets."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from engine.config.metric import Metric
from engine.config.presets import find_preset, load_preset
from engine.sweep.budget import Budget
from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.space import Choice, Range
from engine.sweep.standings import Standings
from engine.sweep.study import distribution, grid, importance, open_storage, open_study, spent
from engine.sweep.table import SweepTable, TrialRow

ACCURACY, LOSS = Metric("accuracy"), Metric("loss", higher_is_better=False)
RATE = Range("train.learning_rate", 1e-4, 1e-1, log=True)
BASE = load_preset(find_preset("wine-mlp")).values()
Make = Callable[[Metric], tuple[SweepDirectory, optuna.Study]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(metric: Metric) -> tuple[SweepDirectory, optuna.Study]:
        config = SweepConfig(name=f"some-{metric.name}", base=BASE, space={})
        sweep = SweepDirectory.create(tmp_path, config)
        study = open_study(open_storage(sweep), config, metric.higher_is_better, "")
        return sweep, study

    return made


def ask(study: optuna.Study, *reports: float) -> optuna.Trial:
    trial = study.ask(dict([distribution(RATE)]))
    for step, value in enumerate(reports):
        trial.report(value, step)
    return trial


@pytest.mark.parametrize(
    ("metric", "running", "order"),
    [(ACCURACY, 0.75, [1, 2, 3, 0, 4]), (LOSS, 0.25, [0, 2, 3, 1, 4])],
)
def test_trials_are_ranked_by_their_best_value_so_far(
    make: Make, metric: Metric, running: float, order: list[int]
) -> None:
    sweep, study = make(metric)
    study.tell(ask(study, 0.625), 0.125)
    study.tell(ask(study), 0.875)
    ask(study, 0.5, 0.75, 0.25).set_user_attr("preset", True)
    study.tell(ask(study, 0.5, 0.375, 0.5), state=TrialState.PRUNED)
    study.tell(ask(study), state=TrialState.FAIL)
    study.enqueue_trial({})
    Standings(sweep, study, metric).show()
    table = sweep.table()
    assert [row.state for row in table.trials] == [
        "complete", "complete", "running", "pruned", "failed",
    ]  # fmt: skip
    assert (table.trials[0].value, table.trials[2].value) == (0.125, running)
    assert table.trials[3].value == (0.5 if metric is ACCURACY else 0.375)
    assert [row.number for row in table.ranked()] == order
    assert table.best == table.trials[order[0]]
    assert table.preset == table.trials[2]


def test_of_trials_with_the_same_value_the_first_is_the_best() -> None:
    rows = tuple(TrialRow(number, "complete", {}, 0.5) for number in (2, 0, 1))
    for higher in (True, False):
        assert [row.number for row in SweepTable("", higher, rows).ranked()] == [0, 1, 2]


def test_a_pruned_trial_is_never_the_best() -> None:
    rows = TrialRow(0, "pruned", {}, 0.9), TrialRow(1, "complete", {}, 0.8)
    best = SweepTable(trials=rows).best
    assert best is not None
    assert best.number == 1
    assert SweepTable(trials=rows[:1]).best is None


def test_what_made_the_difference_is_the_field_that_values_follow(make: Make) -> None:
    sweep, study = make(LOSS)
    space = dict(map(distribution, [RATE, Choice("train.optimizer", ("adamw", "sgd"))]))
    for i in range(12):
        params = {"train.learning_rate": 1e-3, "train.optimizer": ("adamw", "sgd")[i % 2]}
        params["train.learning_rate"] = 10 ** (-1 - 3 * i / 11)
        study.add_trial(create_trial(params=params, distributions=space, value=float(i % 2)))
        if i < 3:
            assert importance(study) == {}
    standings = Standings(sweep, study, LOSS)
    standings.weigh()
    standings.show()
    found = sweep.table().importance
    assert found["train.optimizer"] > 0.9
    assert sum(found.values()) == pytest.approx(1, abs=1e-3)


def test_trials_that_are_all_equal_differ_by_nothing(make: Make) -> None:
    _, study = make(LOSS)
    for _ in range(6):
        study.tell(ask(study), 0.5)
    assert importance(study) == {}


def test_dimensions_are_searched_within_their_ends() -> None:
    assert distribution(RATE)[1] == FloatDistribution(1e-4, 1e-1, log=True)
    whole = Range("train.epochs", 2.0, 9.0, whole=True)
    assert distribution(whole) == ("train.epochs", IntDistribution(2, 9))
    points = grid([Choice("a", ("1", "2")), Choice("b", ("x", "y", "z"))])
    assert len({tuple(point.values()) for point in points}) == len(points) == 6


def test_the_time_of_trials_that_run_is_not_yet_spent(make: Make) -> None:
    _, study = make(LOSS)
    study.tell(ask(study), 0.5)
    before = spent(study)
    assert before >= 0
    ask(study)
    assert spent(study) == before


@given(st.floats(0.1, 1000), st.integers(1, 200), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_trials_share_three_fifths_of_the_time(minutes: float, trials: int, parallel: int) -> None:
    explored = 0.6 * 60 * minutes
    now, begun = 0.0, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.sweep.budget.time", SimpleNamespace(monotonic=lambda: now))
        budget = Budget(minutes, trials, parallel, 0.0)
        now = 0.1  # until the first of them begins
        while begun < trials and (share := budget.share()) is not None:
            begun += min(parallel, trials - begun)
            now += share + 1  # a run takes longer than it was told to
    assert begun  # however short the time is
    assert now <= explored + 1.1
    if explored >= 22 * math.ceil(trials / parallel):  # each may have 20 s and begin late
        assert begun == trials


def test_of_more_places_than_trials_the_others_stay_empty() -> None:
    assert Budget(10, 3, 4, 0.0).share() == pytest.approx(0.9 * 360)
    assert Budget(10, 3, 2, 0.0).share() == pytest.approx(178)  # two at a time, then the third


def test_what_an_earlier_process_used_is_gone() -> None:
    # 10 minutes: 4 trials at a time share 360 s, and each of 8 gets 180 s, 2 of which are overhead.
    assert Budget(10, 8, 4, 0.0).share() == pytest.approx(178)
    used = Budget(10, 8, 4, 4 * 200.0)
    assert used.left == pytest.approx(400, abs=1)
    assert used.share() is None  # 400 s - 240 s for the best is less than a share
    assert used.rest() == pytest.approx(398, abs=1)
    assert Budget(10, 8, 4, 4 * 421.0).rest() is None


@pytest.mark.parametrize(("used", "more"), [(385.0, 178.0), (405.0, 178.0), (440.0, None)])
def test_trials_follow_while_they_fit_where_the_best_needs_no_more_time(
    used: float, more: float | None
) -> None:
    budget = Budget(10, 8, 4, 4 * used)
    budget.ended(178, 170.0)  # it ended by itself
    assert budget.share() is None
    budget.reserves = False
    assert budget.share() == (None if more is None else pytest.approx(more, abs=1))


def test_the_last_of_the_trials_is_given_the_time_that_is_left() -> None:
    budget = Budget(10, 8, 4, 4 * 440.0)
    budget.ended(178, 150.0)
    budget.reserves = False
    assert budget.share() == pytest.approx(600 - 440 - 2, abs=1)


def test_the_last_trial_leaves_the_time_that_runs_take_beyond_what_they_are_given() -> None:
    budget = Budget(10, 8, 4, 4 * 200.0)
    for taken in (190, 184, 120):  # the last one was stopped early
        budget.ended(178, taken)
    assert budget.rest() == pytest.approx(394, abs=1)
