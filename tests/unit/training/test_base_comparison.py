"""The network at the end of a training beside the one before the first update."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from engine.config.metric import Metric
from engine.metrics.evaluator import Evaluation
from engine.reports.views import Lines, Table, Texts
from engine.training.untrained import comparison

F1 = Metric("f1")
LOSS = Metric("loss", higher_is_better=False)


def base(metrics: Mapping[str, float | None], views: Any = ()) -> dict[str, Any]:
    """The results before training, as they are kept."""
    return {
        "split": "validation", "metrics": dict(metrics), "forgetting": {"loss": 2.0},
        "views": list(views), "seconds": 3.0,
    }  # fmt: skip


def improved(before: float | None, after: float, decides: Metric) -> Any:
    found = comparison(base({decides.name: before}), Evaluation({decides.name: after}), decides)
    return found["base"]["improved"]


@pytest.mark.parametrize(
    ("before", "after", "decides", "better"),
    [
        (0.5, 0.75, F1, True),
        (0.5, 0.25, F1, False),
        (0.5, 0.5, F1, False),
        (2.0, 1.0, LOSS, True),
        (1.0, 2.0, LOSS, False),
        (0.0, -1.0, LOSS, True),
        (None, 0.0, F1, True),
        (0.5, math.nan, F1, False),
        (1.0, math.nan, LOSS, False),
        (1.0, math.inf, LOSS, False),
        (1.0, math.inf, F1, True),
    ],
)
def test_a_network_has_improved_where_the_deciding_metric_is_better(
    before: float | None, after: float, decides: Metric, better: bool
) -> None:
    """A value that is not known is no improvement; where the first one is not, any is."""
    assert improved(before, after, decides) is better


def test_a_metric_that_is_missing_at_the_end_is_no_improvement() -> None:
    found = comparison(base({"f1": 0.5}), Evaluation({"loss": 0.1}), F1)
    assert found["base"]["improved"] is False


def test_a_metric_that_was_missing_before_is_an_improvement() -> None:
    found = comparison(base({"loss": 0.5}), Evaluation({"f1": 0.1}), F1)
    assert found["base"]["improved"] is True


def test_the_results_before_training_are_kept_without_their_views() -> None:
    before = base({"f1": 0.5, "loss": None}, [Table("t", ["a"], [[1]]).record()])
    found = comparison(before, Evaluation({"f1": 0.75}), F1)
    assert found["base"] == {
        "split": "validation", "metrics": {"f1": 0.5, "loss": None}, "forgetting": {"loss": 2.0},
        "seconds": 3.0, "improved": True,
    }  # fmt: skip


def test_a_network_with_nothing_before_has_its_views_alone() -> None:
    view = Texts("Answers", [{"question": "a", "answer": "b"}])
    found = comparison(None, Evaluation({"f1": 0.5}, [view]), F1)
    assert found == {"base": None, "views": [view.record()]}


def test_answers_stand_beside_those_before_training() -> None:
    earlier = [
        Texts("Answers", [{"question": "a", "answer": "old"}, {"question": "c", "answer": "x"}]),
        Table("Numbers", ["a"], [[1.0]]),
    ]
    now = [
        Table("Numbers", ["a"], [[2.0]]),
        Texts("Answers", [{"question": "a", "answer": "new"}, {"question": "b", "answer": "y"}]),
    ]
    before = base({"f1": 0.5}, [view.record() for view in earlier])
    table, answers = comparison(before, Evaluation({"f1": 0.5}, now), F1)["views"]
    assert table == now[0].record()
    assert answers["items"] == [
        {"question": "a", "base model": "old", "answer": "new"}, {"question": "b", "answer": "y"},
    ]  # fmt: skip


def test_views_of_another_version_are_left_out() -> None:
    """They were read from a file, and may be of any form."""
    now = Texts("Answers", [{"question": "a", "answer": "new"}])
    unknown = [{"form": "hologram", "title": "Answers"}, {}, None, {"form": "texts"}]
    found = comparison(base({"f1": 0.5}, unknown), Evaluation({"f1": 0.5}, [now]), F1)
    assert found["views"] == [now.record()]


def test_numbers_of_views_that_are_not_finite_are_none() -> None:
    view = Lines("l", [0.0, 1.0], {"truth": [math.nan, 1.0]})
    found = comparison(base({"f1": 0.5}), Evaluation({"f1": 0.5}, [view]), F1)
    assert found["views"][0]["series"] == {"truth": [None, 1.0]}
