"""Epochs of a training on images that go by their number."""

from __future__ import annotations

from typing import Any

import pytest

from engine.config.run_config import RunConfig
from engine.tasks.create import create_task
from engine.vision.usual_epochs import usual_epochs


def config_of(**train: Any) -> RunConfig:
    return RunConfig.parse(
        {
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin", "name": "digits", "max_samples": 300},
            "model": {"kind": "cnn"},
            "train": train,
        }
    )


@pytest.mark.parametrize(
    ("rows", "epochs"),
    [(40, 40), (210, 40), (1_280, 30), (3_200, 12), (3_840, 10), (1_000_000, 10)],
)
def test_few_images_are_gone_through_until_there_are_six_hundred_updates(
    rows: int, epochs: int
) -> None:
    assert usual_epochs(config_of(), rows) == [f"train.epochs={epochs}"]


def test_accumulated_batches_are_one_update() -> None:
    half = config_of(batch_size=32, gradient_accumulation_steps=2)
    assert usual_epochs(half, 1_280) == usual_epochs(config_of(), 1_280)


def test_epochs_that_are_set_and_earlier_runs_keep_theirs() -> None:
    assert usual_epochs(config_of(epochs=3), 210) == []
    assert usual_epochs(config_of(), 0) == []


def test_the_training_images_are_counted() -> None:
    pipeline = create_task(config_of()).pipeline
    raw = pipeline.load()
    assert pipeline.settled(pipeline.learn(raw)) == usual_epochs(config_of(), raw.train.num_rows)
