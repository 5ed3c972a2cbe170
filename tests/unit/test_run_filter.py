"""The filter of the list: words, fields and metrics, each part a condition."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.runs.annotations import Annotations
from engine.runs.directory import RunDirectory
from engine.runs.filter import FilterError, RunFilter
from engine.runs.status import State
from engine.runs.summary import RunSummary

CNN: dict[str, Any] = {
    "task": "image_classification", "data": "digits", "model": "cnn", "metric": "accuracy",
    "metrics": {"accuracy": 0.96, "loss": 0.2},
    "notes": Annotations(("good", "paper"), "for the talk", pinned=True),
}  # fmt: skip
MLP: dict[str, Any] = {
    "task": "tabular_regression", "data": "diabetes", "model": "mlp", "metric": "rmse",
    "metrics": {"rmse": 54.0, "loss": 0.5}, "state": State.RUNNING,
}  # fmt: skip


def row(name: str, **fields: Any) -> RunSummary:
    run = RunDirectory(Path("/runs") / f"20260101-000000-{name}")
    return RunSummary(run, name, fields.pop("state", State.FINISHED), 0.0, 60.0, **fields)


ROWS = (row("first", **CNN), row("second", **MLP))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "first second"),
        ("fir", "first"),
        ("FIRST digits", "first"),
        ("first diabetes", ""),
        ("accur", "first"),
        ("task:image", "first"),
        ("state:running", "second"),
        ("state:fin", "first"),
        ("state:", "first second"),
        ("tag:pap", "first"),
        ("tag:", "first second"),
        ("note:talk", "first"),
        ("data:diab model:mlp", "second"),
        ("accuracy>0.9", "first"),
        ("accuracy>=0.96", "first"),
        ("accuracy>0.96", ""),
        ("loss<1", "first second"),
        ("Loss<=0.2", "first"),
        ("metric>1", "second"),
        ("loss=0.5", "second"),
        ("loss!=0.5", "first"),
        ("seconds<1e3", "first second"),
        ("-tag:paper", "second"),
        ("-accuracy>0.9", "second"),
        ("is:pinned", "first"),
        ("loss<1 state:running", "second"),
        ("-", "first second"),
    ],
)
def test_all_parts_must_hold(text: str, found: str) -> None:
    assert " ".join(row.name for row in RunFilter.parse(text).among(ROWS)) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stat:running", "did you mean state:"),
        ("nonsense:x", "there are name"),
        ("accuracy>", "needs a number"),
        ("accuracy>high", "needs a number"),
        ("state:asleep", "queued, running"),
        ("is:new", "pinned"),
        ("[red]:x", "No field"),
    ],
)
def test_what_means_nothing_is_reported_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(FilterError, match=words) as caught:
        RunFilter.parse(text)
    assert len(str(caught.value)) < 160


def test_nothing_that_can_be_typed_is_a_defect() -> None:
    for text in ("(", "a>b>c", ">>", ":", "::", "=", ">1", "-:", "--", "\x1b[2J", "é>nan", "x:y:z"):
        try:
            RunFilter.parse(text).among(ROWS)
        except FilterError:
            continue


def test_while_it_is_typed_the_other_parts_hold() -> None:
    passes, problem = RunFilter.typed("second loss<")
    assert [row.name for row in passes.among(ROWS)] == ["second"]
    assert "needs a number" in problem
    assert RunFilter.typed("second")[1] == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acuracy>0.5", "No run has a metric 'acuracy'; did you mean accuracy?"),
        ("-los<1", "No run has a metric 'los'; did you mean loss?"),
        ("zzz=1", "there are accuracy, loss, metric, rmse, seconds."),
        ("Accuracy>0.99", ""),
        ("metric>1e9 seconds>1e9", ""),
        ("words", ""),
    ],
)
def test_a_metric_that_no_run_has_is_named(text: str, said: str) -> None:
    for wanted in (RunFilter.parse(text), RunFilter.typed(text)[0]):
        unknown = wanted.unknown(ROWS)
        assert said in unknown
        assert bool(said) == bool(unknown)
