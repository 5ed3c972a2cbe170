"""Explanations are offered for the predictions that have one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.config.registry import resolve
from engine.config.tasks.registry import TASKS
from engine.tasks.explainable import explains

EXPLAINED = {
    "image_classification", "image_regression", "text_classification", "text_regression",
    "tabular_classification", "tabular_regression",
}  # fmt: skip


@pytest.mark.parametrize("kind", [*TASKS])
def test_classes_and_numbers_are_explained_and_boxes_masks_and_forecasts_are_not(kind: str) -> None:
    task: Any = resolve(TASKS[kind].implementation)
    fitted: Any = SimpleNamespace(text="text", text_pair="")
    assert explains(task.__new__(task), fitted) == (kind in EXPLAINED)
