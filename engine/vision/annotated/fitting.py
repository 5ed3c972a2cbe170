"""Fitting on training images with boxes or masks: size, mean and deviation of three colours."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from engine.config.models.image import Preprocessing
from engine.config.tasks.annotated_images import SIDE_STEP, AnnotatedImagesConfig
from engine.vision.fitting import measure


def measure_annotated(
    table: pa.Table, column: str, task: AnnotatedImagesConfig, wanted: Preprocessing | None
) -> dict[str, Any]:
    """``size``, a multiple of 32, ``mean``, ``std``, ``sizes``, ``levels`` and ``paged``.

    What pre-trained weights ask for, ``wanted``, goes before what the images are.
    """
    measured = measure(table, column, task, wanted)
    if measured.pop("channels") == 1:
        measured |= {name: measured[name] * 3 for name in ("mean", "std")}
    measured["size"] = max(1, -(-measured["size"] // SIDE_STEP)) * SIDE_STEP
    return measured
