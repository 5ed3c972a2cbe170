"""Notes on test-time flip in exported models, for their use in other programs."""

from __future__ import annotations

from typing import Any

from engine.metrics.images.flipped import FLIP
from engine.runs.directory import RunDirectory

_PROGRAMS = ("program", "onnx")


def flip_notes(run: RunDirectory, form: str) -> list[str]:
    """Return notes on a run's export; none where each image is predicted as it is."""
    if not getattr(run.config.read().task, "test_time_flip", False):
        return []
    if form in _PROGRAMS:
        return [
            "Test-time flip is part of the file: it computes each image and its mirror image, "
            "and returns the mean of their logits."
        ]
    return [
        "Test-time flip is not part of these weights: other programs compute each image as it is."
        + _difference(run)
    ]


def _difference(run: RunDirectory) -> str:
    """Return a sentence with both numbers, where the report has them."""
    views: list[dict[str, Any]] = (run.report.read() or {}).get("views") or []
    table = next((view for view in views if view.get("title") == FLIP), None)
    if table is None:
        return ""
    (_, both, *_), (_, alone, *_) = table["rows"]
    return f" The accuracy on the held-out images is {alone} so, and {both} with test-time flip."
