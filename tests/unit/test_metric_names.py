"""The metrics of a run that can be drawn, in their order."""

from __future__ import annotations

from engine.runs.events import Evaluated, Progress
from engine.runs.history import History
from tui.format.metric_names import metric_names


def test_the_loss_comes_first_and_each_name_once() -> None:
    history = History()
    assert metric_names(history, ("loss", "accuracy")) == ["loss"], "before there are values"
    history.apply(
        Progress(step=1, steps=9, epoch=0.1, epochs=4, loss=1.0, learning_rate=1e-3, grad_norm=2.0)
    )
    metrics = {"f1": 0.5, "zeal": 0.1, "accuracy": 0.5, "loss": 1.0}
    history.apply(Evaluated(epoch=1, step=1, split="validation", metrics=metrics))
    found = metric_names(history, ("loss", "accuracy", "f1"))
    assert found[:4] == ["loss", "accuracy", "f1", "zeal"]
    assert sorted(set(found)) == sorted(found)


def test_a_run_without_a_loss_begins_with_a_metric_that_was_evaluated() -> None:
    history = History()
    history.apply(Evaluated(epoch=1, step=1, split="train", metrics={"a": 1.0}))
    history.apply(Evaluated(epoch=1, step=1, split="validation", metrics={"recall": 0.5}))
    assert metric_names(history)[0] == "recall"
