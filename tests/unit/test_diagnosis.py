"""A diagnosis of a training, and none if nothing is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from engine.runs.diagnosis import diagnose
from engine.runs.events import Evaluated


def evaluations(validation: Sequence[float], train: Sequence[float | None]) -> list[Evaluated]:
    return [
        Evaluated(step=i, epoch=float(i), split="validation", metrics={"loss": v}, train_loss=t)
        for i, (v, t) in enumerate(zip(validation, train, strict=True), 1)
    ]


def test_overfitting_is_named_with_the_epoch_of_the_best() -> None:
    word = diagnose(evaluations([1.0, 0.5, 0.6, 0.7, 0.8], [1.0, 0.6, 0.4, 0.3, 0.2]))
    assert word.startswith("overfitting")
    assert "epoch 2" in word
    assert "60%" in word


def test_two_bad_evaluations_are_no_trend() -> None:
    assert diagnose(evaluations([1.0, 0.6, 0.5, 0.6, 0.7], [1.0, 0.6, 0.4, 0.3, 0.2])) == ""


def test_noise_around_the_best_is_no_overfitting() -> None:
    assert diagnose(evaluations([1.0, 0.5, 0.503, 0.502, 0.504], [1.0, 0.6, 0.4, 0.3, 0.2])) == ""


def test_losses_that_jump_about_are_no_overfitting_before_they_leave_their_noise() -> None:
    falling = [1.0 - 0.05 * i for i in range(10)]
    jumping = [0.5, 0.58, 0.51, 0.6, 0.52, 0.49, 0.58, 0.52, 0.6, 0.53]
    assert diagnose(evaluations(jumping, falling)) == ""
    assert diagnose(evaluations([*jumping[:7], 0.8, 0.9, 0.85], falling)).startswith("overfitting")


def test_worse_on_both_is_no_overfitting() -> None:
    assert diagnose(evaluations([1.0, 0.5, 0.6, 0.7, 0.8], [1.0, 0.6, 0.7, 0.8, 0.9])) == ""


def test_a_training_loss_that_never_falls_is_named() -> None:
    assert diagnose(evaluations([1.0] * 5, [1.0, 1.1, 1.2, 1.1, 1.3])).startswith("not learning")


def test_nothing_is_reported_without_numbers() -> None:
    assert diagnose([]) == ""
    assert diagnose(evaluations([1.0, 0.5, 0.6, 0.7, 0.8], [None] * 5)) == ""
