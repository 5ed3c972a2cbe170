"""The first sentences of the results: better or not, and overfitted or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.runs.events import Evaluated, Failed
from engine.runs.history import History
from tui.format.headline import headline


def evaluated(losses: Sequence[tuple[float, float]]) -> History:
    """A run with these training and validation losses, an epoch each."""
    history = History()
    for epoch, (train, validation) in enumerate(losses, 1):
        history.apply(
            Evaluated(
                step=epoch, epoch=float(epoch), split="validation",
                metrics={"loss": validation}, train_loss=train,
            )
        )  # fmt: skip
    return history


FALLING = [(1.0 - i / 10, 1.0 - i / 11) for i in range(8)]
RISING = [(1.0 - i / 10, 1.0 - i / 11 if i < 3 else 0.8 + i / 5) for i in range(8)]


def said(report: dict[str, Any], history: History) -> list[str]:
    return [line.plain for line in headline(report, history)]


def test_overfitting_is_said_with_the_weights_that_are_kept() -> None:
    report = {"metrics": {"test": {"loss": 1.0}}, "best_epoch": 3.0}
    first, second = said(report, evaluated(RISING))
    assert first == "No baseline to compare with."
    assert second.startswith("Overfitting: the validation loss is ")
    assert second.endswith("The model has the weights of epoch 3.")
    *_, line = headline(report, evaluated(RISING))
    assert [str(span.style) for span in line.spans] == ["$text-warning"]


def test_a_run_without_overfitting_says_so_once_there_are_enough_evaluations() -> None:
    report = {"metrics": {"test": {"loss": 1.0}}}
    assert said(report, evaluated(FALLING))[-1] == "No overfitting."
    assert said(report, evaluated(FALLING[:3]))[-1] == "Too few evaluations to see overfitting."


def test_without_a_baseline_the_base_model_is_compared_with() -> None:
    base = {"split": "test", "metrics": {"loss": 2.5}, "improved": True}
    report: dict[str, Any] = {"metrics": {"test": {"loss": 1.5}}, "metric": "loss", "base": base}
    text = "Better than the base model: loss from 2.5000 to 1.5000 on test."
    assert said(report, History()) == [text]
    (line,) = headline(report | {"base": base | {"improved": False}}, History())
    assert line.plain.startswith("Not better than the base model")
    assert [str(span.style) for span in line.spans] == ["$text-error"]


def test_a_baseline_without_a_test_of_the_difference_is_called_neither_better_nor_worse() -> None:
    report = {"metrics": {"test": {"loss": 1.5}}, "metric": "loss",
              "baseline": {"name": "boosting", "metrics": {"loss": 1.0}}}  # fmt: skip
    text = "The difference from boosting was not tested: loss 1.5000 on test, 1.0000 there."
    assert said(report, History()) == [text]


def test_a_failed_run_begins_with_its_error() -> None:
    history = History()
    history.apply(Failed(message="No [b]such[/b] column."))
    assert said({}, history) == ["Failed: No [b]such[/b] column."]
