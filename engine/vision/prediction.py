"""A network's predictions for images, formatted for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from engine.batches.source import Batch
from engine.reports.class_records import said


def shown(
    batch: Batch, records: Sequence[dict[str, Any]], classes: Sequence[str]
) -> list[dict[str, str]]:
    """Name, prediction and label of each image."""
    names = batch.rows["name"].to_pylist()
    return [
        {"image": name, "predicted": said(record), "label": _joined(target, classes)}
        for name, record, target in zip(names, records, batch.targets.cpu(), strict=True)
    ]


def _joined(target: Tensor, classes: Sequence[str]) -> str:
    if target.ndim == 0:
        return classes[int(target)]
    return ", ".join(classes[index] for index in target.nonzero().flatten().tolist()) or "—"
