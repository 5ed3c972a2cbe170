"""The base model's answers beside those of the trained network."""

from __future__ import annotations

from typing import Any

import pytest

from engine.reports.side_by_side import beside_earlier, items_beside
from engine.reports.views import Table, Texts
from engine.runs.events import Samples
from tui.format.benchmark_lines import benchmark_lines
from tui.format.verdict import verdict
from tui.screens.results.metrics import metric_lines
from tui.widgets.sample_contents import samples


def item(prompt: str, answer: str) -> dict[str, str]:
    return {"prompt": prompt, "continuation": answer, "reference": "right"}


def test_the_base_models_answer_to_the_same_input_stands_before_the_trained_ones() -> None:
    (first, second) = items_beside([item("a", "new"), item("b", "new")], [item("b", "old")])
    assert first == item("a", "new")
    assert list(second.items()) == [
        ("prompt", "b"), ("base model", "old"), ("continuation", "new"), ("reference", "right"),
    ]  # fmt: skip


def test_only_texts_of_the_same_title_are_joined() -> None:
    views = [Texts("Texts", [item("a", "new")]), Table("Table", ["x"], [[1]])]
    texts, table = beside_earlier(views, [Texts("Other", [item("a", "old")]), views[1]])
    assert (texts, table) == tuple(views)


def test_samples_of_the_monitor_have_the_base_models_answer() -> None:
    before = Samples(step=0, split="validation", items=[item("a", "old")])
    after = Samples(step=5, split="validation", items=[item("a", "new")])
    lines = [line.plain for line in samples([before, after], before)]
    assert [line.split() for line in lines[2:6]] == [
        ["prompt", "a"], ["base", "model", "old"], ["continuation", "new"], ["reference", "right"],
    ]  # fmt: skip
    alone = [line.plain for line in samples([before], before)]
    assert not any(line.startswith("base model") for line in alone)


def report(improved: bool, forgotten: float | None) -> dict[str, Any]:
    return {
        "metric": "loss",
        "metrics": {"test": {"loss": 2.5}},
        "forgetting": None if forgotten is None else {"loss": forgotten},
        "base": {
            "split": "test", "metrics": {"loss": 3.0}, "improved": improved,
            "forgetting": {"loss": 4.0}, "seconds": 1.0,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("loss", "told"), [(4.75, "0.75 nats lost"), (3.5, "0.5 nats gained"),
                       (4.01, "hardly any")],
)  # fmt: skip
def test_the_verdict_says_how_much_was_forgotten(loss: float, told: str) -> None:
    assert verdict(report(True, loss))["forgetting"].startswith(told)


def test_the_verdict_says_whether_the_base_model_was_beaten() -> None:
    better = "improved on: loss from 3.0000 to 2.5000 on test"
    assert verdict(report(True, None)) == {"base model": better}
    assert verdict(report(False, None))["base model"].startswith("not improved on")
    assert verdict({"metrics": {}}) == {}


def test_benchmarks_stand_in_the_results_with_the_base_models_value() -> None:
    found = {"run": {"acc": {"value": 0.75, "error": 0.1}}, "base": {"acc": {"value": 0.5}},
             "time": "2026-11-28T10:00:00Z", "shots": 5}  # fmt: skip
    title, headings, row, end = (line.plain for line in benchmark_lines({"tasks": {"arc": found}}))
    assert (title, end) == ("Benchmarks", "")
    assert headings.split() == ["task", "metric", "value", "base", "model", "evaluated"]
    assert row.split() == ["arc", "acc", "0.7500", "±", "0.1000", "0.5000", "2026-11-28,", "5",
                           "examples"]  # fmt: skip
    assert list(benchmark_lines(None)) == []


def test_the_name_of_a_baseline_is_cut_only_where_there_is_no_room() -> None:
    baseline = {"name": "edges, colours and logistic regression", "metrics": {"accuracy": 0.5}}
    found = {"metric": "accuracy", "metrics": {"test": {"accuracy": 0.9}}, "baseline": baseline}
    wide, narrow = (next(metric_lines(found, width)).plain for width in (120, 60))
    assert wide.endswith("  baseline: edges, colours and logistic regression")
    assert narrow.endswith("…")
    assert len(narrow) <= 60


def test_results_have_a_column_for_the_base_model() -> None:
    heading, row, *_ = (line.plain for line in metric_lines(report(True, None)))
    assert heading.split() == ["test", "base", "model"]
    assert row.split() == ["loss", "2.5000", "3.0000"]
