"""The verdict beside the baseline: a difference, its interval, and cut-offs apart by a horizon."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from engine.metrics.forecasts.cutoffs import WindowErrors
from engine.metrics.uncertainty.verdict import judge
from engine.metrics.uncertainty.window_draws import WindowPlaces
from engine.runs.history import History
from tui.format.headline import headline
from tui.format.run_facts import metrics_table
from tui.format.verdict import judged
from tui.screens.results.metrics import metric_lines


def test_a_verdict_says_the_difference_and_its_side() -> None:
    random = np.random.default_rng(1)
    theirs = random.uniform(1, 3, 400)
    better, worse = judge("naive", theirs * 0.8, theirs), judge("naive", theirs * 1.1, theirs)
    assert better is not None
    assert worse is not None
    # The ratio is the same in all windows, so that no draw differs.
    assert (better.difference, better.low, better.high) == pytest.approx((-0.2,) * 3)
    assert better.text == (
        "The network is better than naive: its scaled mean absolute error is 20.0 % below "
        "(95 % interval 20.0 to 20.0 %)."
    )
    assert worse.outcome == "worse"
    assert "10.0 % above" in worse.text


def test_a_difference_within_the_noise_is_left_open() -> None:
    random = np.random.default_rng(2)
    errors, theirs = random.uniform(0, 2, 200), random.uniform(0, 2, 200)
    verdict = judge("naive", errors, theirs)
    assert verdict is not None
    assert verdict.low < 0 < verdict.high
    assert verdict.text.startswith("It is open whether")


def test_the_interval_is_that_of_independent_pairs() -> None:
    random = np.random.default_rng(3)
    theirs = random.uniform(1, 2, 900)
    errors = theirs * 0.9 + random.normal(0, 0.3, 900)
    verdict = judge("naive", errors, theirs)
    assert verdict is not None
    # By the delta method: the deviation of the mean of (error - ratio · theirs) over their mean.
    ratio = errors.mean() / theirs.mean()
    deviation = (errors - ratio * theirs).std() / np.sqrt(900) / theirs.mean()
    assert verdict.high - verdict.low == pytest.approx(2 * 1.96 * deviation, rel=0.1)


def test_windows_that_overlap_widen_the_interval() -> None:
    random = np.random.default_rng(4)
    # Each error is shared by ten windows: a tenth of them are independent.
    errors, theirs = np.repeat(random.uniform(1, 2, 90), 10), np.ones(900)
    apart, blocks = judge("naive", errors, theirs), judge("naive", errors, theirs, block=10)
    assert apart is not None
    assert blocks is not None
    widened = (blocks.high - blocks.low) / (apart.high - apart.low)
    assert widened == pytest.approx(np.sqrt(10) * np.sqrt(2 / 3), rel=0.2)


def of_shops(
    random: np.random.Generator, shared: float, own: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], WindowPlaces]:
    """Errors of 20 series at 100 times, of a network and of a baseline, in days of six windows."""
    theirs = random.uniform(1, 2, (20, 100))
    by_time = np.repeat(random.normal(0, 1, 25), 4)
    errors = theirs + shared * by_time + own * random.normal(0, 1, (20, 1))
    series, times = np.repeat(np.arange(20), 100), np.tile(6 * np.arange(100), 20)
    return errors.ravel(), theirs.ravel(), WindowPlaces(series, times, 24)


def test_bad_times_that_series_share_widen_the_interval() -> None:
    errors, theirs, places = of_shops(np.random.default_rng(6), shared=0.2, own=0.0)
    apart, together = judge("naive", errors, theirs, 4), judge("naive", errors, theirs, 4, places)
    assert apart is not None
    assert together is not None
    # By hand: 25 independent days, whatever the number of series.
    days = (errors - theirs).reshape(20, 25, 4).mean((0, 2)).std(ddof=1) / np.sqrt(25)
    width = 2 * 2.064 * days / theirs.mean()  # by Student's distribution of 24 degrees
    # Blocks that begin at any window vary by two thirds of what whole days do.
    assert together.high - together.low == pytest.approx(np.sqrt(2 / 3) * width, rel=0.2)
    assert together.high - together.low > 3 * (apart.high - apart.low)


def test_series_that_are_hard_at_all_times_widen_the_interval() -> None:
    errors, theirs, places = of_shops(np.random.default_rng(7), shared=0.0, own=0.2)
    verdict = judge("naive", errors, theirs, 4, places)
    assert verdict is not None
    each = (errors - theirs).reshape(20, 100).mean(1).std(ddof=1) / np.sqrt(20)
    width = 2 * 2.093 * each / theirs.mean()  # 19 degrees
    assert verdict.high - verdict.low == pytest.approx(width, rel=0.1)


def test_an_interval_of_few_windows_is_that_of_students_distribution() -> None:
    theirs = np.full(5, 2.0)
    errors = np.array([1.0, 1.5, 2.0, 2.5, 3.0])
    verdict = judge("naive", errors, theirs, 1, WindowPlaces(np.arange(5), np.zeros(5, int), 0))
    assert verdict is not None
    wide = np.log((2 + 2.776 * errors.std(ddof=1) / np.sqrt(5)) / 2)
    assert np.log1p(verdict.high) == pytest.approx(wide, rel=0.15)
    assert verdict.low > -1


def test_windows_of_a_single_one_of_many_series_have_an_interval_too() -> None:
    errors, theirs, places = of_shops(np.random.default_rng(8), shared=0.2, own=0.0)
    errors[100:] = np.nan  # 19 of the 20 series are not known
    alone = judge("naive", errors[:100], theirs[:100], 4)
    verdict = judge("naive", errors, theirs, 4, places)
    assert alone is not None
    assert verdict is not None
    assert (verdict.low, verdict.high) == pytest.approx((alone.low, alone.high))
    errors[12:] = np.nan  # and fewer windows than two horizons
    few = judge("naive", errors, theirs, 4, WindowPlaces(places.series, places.times, 120))
    assert few is not None
    assert few.high - few.low > verdict.high - verdict.low


def test_errors_that_are_not_known_are_left_out_in_pairs() -> None:
    errors, theirs = np.array([1.0, np.nan, 3.0]), np.array([2.0, 50.0, 6.0])
    verdict = judge("naive", errors, theirs)
    assert verdict is not None
    assert verdict.difference == pytest.approx(-0.5)
    assert judge("naive", errors[:1], theirs) is None
    assert judge("naive", errors[:1], theirs[:1]) is None


def test_a_baseline_without_any_error_is_named_as_exact_with_the_difference_in_deviations() -> None:
    random = np.random.default_rng(5)
    errors = random.uniform(0.5, 1.5, 400)
    verdict = judge("naive", errors, np.zeros(400))
    assert verdict is not None
    half = 1.96 * errors.std() / np.sqrt(400)
    assert verdict.difference == pytest.approx(errors.mean())
    assert (verdict.low, verdict.high) == pytest.approx(
        (errors.mean() - half, errors.mean() + half), abs=half / 5
    )
    assert verdict.outcome == "worse"
    assert verdict.text.startswith(
        "The network is worse than naive, which makes no error in all windows: the mean absolute "
        f"error is {errors.mean():.3g} standard deviations above (95 % interval of the difference "
    )
    assert verdict.hardness == np.inf
    json.dumps(verdict.record(), allow_nan=False)


def test_a_baseline_with_hardly_any_error_is_compared_without_a_ratio() -> None:
    theirs = np.zeros(300)
    theirs[7] = 9.0
    worse = judge("naive", np.full(300, 0.5), theirs)
    left = judge("naive", np.full(300, 0.03), theirs)
    assert worse is not None
    assert left is not None
    assert worse.outcome == "worse"
    assert "no error in 99 % of the windows" in worse.text
    assert worse.difference == pytest.approx(0.5 - 9 / 300)
    assert left.outcome == "open"


def test_two_forecasts_without_errors_are_left_open() -> None:
    verdict = judge("naive", np.full(50, 1e-7), np.zeros(50))
    assert verdict is not None
    assert verdict.outcome == "open"


def test_cutoffs_lie_a_horizon_apart_back_from_the_last_window() -> None:
    windows = WindowErrors()
    truth = torch.arange(20.0)
    # Two series at the same times: errors of t and t + 1.
    for series, shift in enumerate((0.0, 1.0)):
        difference = (truth + shift)[:, None, None].expand(20, 4, 1)
        numbers = torch.full((20,), series)
        windows.update(difference, torch.ones(20, 4, 1), torch.arange(20), numbers)
    table = windows.at_cutoffs(3, 4, str)
    assert table is not None
    times = np.array([11, 15, 19])
    absolute = times + 0.5
    squared = (times**2 + (times + 1) ** 2) / 2
    assert [row[0] for row in table.rows[:3]] == ["11", "15", "19"]
    assert [row[2] for row in table.rows[:3]] == pytest.approx(list(absolute))
    assert [row[1] for row in table.rows[:3]] == pytest.approx(list(squared))
    assert table.rows[3] == ["mean", pytest.approx(squared.mean()), pytest.approx(15.5)]
    assert table.rows[4][2] == pytest.approx(absolute.std(ddof=1))
    assert windows.at_cutoffs(0, 4, str) is None
    metrics = windows.metrics_at_cutoffs(3, 4)
    assert metrics == {"mse_cutoffs": pytest.approx(squared.mean()), "mae_cutoffs": 15.5}
    assert windows.metrics_at_cutoffs(0, 4) == {}


def test_cutoffs_count_back_from_the_end_of_each_series() -> None:
    windows = WindowErrors()
    # A series of ten windows that ends at 9, and one of every third step that ends at 47.
    for series, times in enumerate((torch.arange(10), torch.arange(20, 50, 3))):
        difference = times[:, None, None].expand(10, 2, 1).float()
        windows.update(difference, torch.ones(10, 2, 1), times, torch.full((10,), series))
    table = windows.at_cutoffs(3, 2, str)
    assert table is not None
    assert [row[0] for row in table.rows[:3]] == ["5 to 35", "7 to 41", "9 to 47"]
    assert [row[2] for row in table.rows[:3]] == [20.0, 24.0, 28.0]
    assert windows.metrics_at_cutoffs(3, 2)["mae_cutoffs"] == 24.0


@pytest.mark.parametrize(
    ("outcome", "style"),
    [("better", "$text-success"), ("worse", "$text-error"), ("open", "$text-warning")],
)
def test_the_results_show_the_verdict_in_its_colour(outcome: str, style: str) -> None:
    told = {"outcome": outcome, "text": "A [b] sentence."}
    (line,) = headline({"metrics": {"test": {"loss": 1.0}}, "verdict": told}, History())
    assert line.plain == "A [b] sentence."
    assert [str(span.style) for span in line.spans] == [style]


def test_baselines_stand_in_columns_behind_the_baseline_and_the_sentence_in_pages() -> None:
    report: dict[str, Any] = {
        "metrics": {"test": {"mae": 1.0}},
        "baseline": {"name": "naive", "metrics": {"mae": 2.0}},
        "baselines": [{"name": "AutoETS", "metrics": {"mae": 0.5}, "verdict": None}],
        "verdict": {"outcome": "worse", "text": "A sentence."},
    }
    assert metrics_table(report)[0] == ["metric", "test", "naive", "AutoETS"]
    assert metrics_table(report)[1] == [["mae", "1.0000", "2.0000", "0.5000"]]
    assert judged(report) == {"verdict": "A sentence."}
    assert judged(report | {"verdict": None}) == {}


@pytest.mark.parametrize("outcome", ["better", "open", "worse"])
def test_a_baseline_that_is_not_beaten_is_named_with_the_command_that_exports_it(
    outcome: str,
) -> None:
    told = {"outcome": outcome, "text": "A sentence.", "baseline": "gradient boosting"}
    baseline = {"name": "gradient boosting", "metrics": {}, "export": "boosting"}
    metrics = {"test": {"loss": 1.0}}
    report = {"run": "it", "metrics": metrics, "baseline": baseline, "verdict": told}
    command = (
        "" if outcome == "better" else " `dltui export it --boosting` writes gradient boosting."
    )
    assert judged(report) == {"verdict": f"A sentence.{command}"}
    assert next(headline(report, History())).plain == f"A sentence.{command}"
    other = report | {"verdict": told | {"baseline": "TabICL"}}
    assert judged(other) == {"verdict": "A sentence."}
    assert judged(report | {"baseline": {"name": "gradient boosting"}})["verdict"] == "A sentence."


def test_the_results_have_a_sentence_for_each_baseline_the_hardest_first() -> None:
    hard, easy = {"outcome": "worse", "text": "Hard."}, {"outcome": "better", "text": "Easy."}
    baselines = [
        {"name": "A", "metrics": {}, "verdict": hard},
        {"name": "B", "metrics": {}, "verdict": easy},
        {"name": "C (2 of 9 windows in 1 s)", "metrics": {}, "verdict": None},
    ]
    report = {"metrics": {}, "baselines": baselines, "verdict": hard}
    assert next(headline(report | {"metrics": {"test": {}}}, History())).plain == "Hard."
    assert [line.plain for line in metric_lines(report)][-2:] == [
        "Easy.", "Too few rows or windows for a verdict: C (2 of 9 windows in 1 s).",
    ]  # fmt: skip


def test_metrics_stay_in_their_lines_where_the_name_of_the_baseline_has_no_room() -> None:
    values = {"accuracy": 0.9888, "loss": 0.0431}
    baseline = {"name": "edges, colours and logistic regression", "metrics": values}
    report = {"metrics": {"validation": values, "test": values}, "baseline": baseline}
    wide, narrow = ([line.plain for line in metric_lines(report, width)] for width in (100, 60))
    assert "edges, colours and" in wide[0]
    assert max(map(len, narrow)) <= 60
    assert [line.split() for line in narrow[1:3]] == [line.split() for line in wide[1:3]]


def test_cutoffs_without_a_truth_are_passed_over_and_their_number_is_told() -> None:
    windows = WindowErrors()
    known = torch.ones(9, 2, 1, dtype=torch.bool)
    known[6] = False
    windows.update(torch.ones(9, 2, 1) * known, known, torch.arange(9))
    table = windows.at_cutoffs(10, 2, str)
    assert table is not None
    assert [row[0] for row in table.rows[:4]] == ["0", "2", "4", "8"]
    assert table.rows[4] == ["mean", 1.0, 1.0]
    assert table.title == "Errors at cut-offs (4 of 10: there is no room for more)"


def test_cutoffs_without_any_truth_have_no_errors() -> None:
    windows = WindowErrors()
    windows.update(torch.zeros(3, 2, 1), torch.zeros(3, 2, 1, dtype=torch.bool), torch.arange(3))
    assert windows.at_cutoffs(2, 1, str) is None
    assert np.isnan([*windows.metrics_at_cutoffs(2, 1).values()]).all()
