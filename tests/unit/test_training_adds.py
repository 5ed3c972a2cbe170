"""What training has and evaluations have not is named beside the two losses."""

from __future__ import annotations

from typing import Any

import pytest

from engine.config.run_config import RunConfig
from tui.format.training_adds import training_adds

IMAGES = {
    "task": {"kind": "image_classification"}, "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "cnn", "dropout": 0.0},
}  # fmt: skip
WORDS = {
    "task": {"kind": "text_classification"}, "data": {"kind": "builtin", "name": "docstrings"},
    "model": {"kind": "transformer"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (IMAGES, ""),
        (IMAGES | {"model": {"kind": "cnn", "dropout": 0.25}}, "dropout 0.25"),
        (
            IMAGES | {"task": {"kind": "image_classification", "label_smoothing": 0.1,
                               "augmentation": {"mixup": 0.2, "crop": 2}}},
            "label smoothing 0.1, mixup 0.2, augmentation",
        ),
        (WORDS, "dropout 0.1"),
        (WORDS | {"model": {"kind": "transformer", "path": "folder"}}, ""),
        (
            WORDS | {"model": {"kind": "transformer", "path": "folder"},
                     "adapter": {"method": "lora", "lora_dropout": 0.05}},
            "dropout 0.05 of the adapter",
        ),
    ],
)  # fmt: skip
def test_parts_that_only_training_has_are_named(config: dict[str, Any], text: str) -> None:
    assert training_adds(RunConfig.parse(config)) == text
