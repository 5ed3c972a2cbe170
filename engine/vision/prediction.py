"""A network's predictions for images, formatted for the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from engine.batches.source import Batch


def class_record(row: Sequence[float], classes: Sequence[str]) -> dict[str, Any]:
    """The likeliest class and the five that come first."""
    likeliest = sorted(range(len(row)), key=lambda index: -row[index])[:5]
    scores = {classes[index]: row[index] for index in likeliest}
    return {"label": classes[likeliest[0]], "score": row[likeliest[0]], "scores": scores}


def labels_record(row: Sequence[float], classes: Sequence[str]) -> dict[str, Any]:
    """All classes that are likelier than not, and the five that come first."""
    scores = dict(sorted(zip(classes, row, strict=True), key=lambda item: -item[1]))
    labels = [name for name, score in scores.items() if score > 0.5]
    return {"labels": labels, "scores": dict(list(scores.items())[:5])}


def shown(
    batch: Batch, records: Sequence[dict[str, Any]], classes: Sequence[str]
) -> list[dict[str, str]]:
    """Name, prediction and label of each image."""
    names = batch.rows["name"].to_pylist()
    return [
        {"image": name, "predicted": said(record), "label": _joined(target, classes)}
        for name, record, target in zip(names, records, batch.targets.cpu(), strict=True)
    ]


def said(record: dict[str, Any]) -> str:
    """Return the class with its probability, or all labels that were found."""
    if "labels" in record:
        return ", ".join(record["labels"]) or "—"
    return f"{record['label']} ({record['score']:.0%})"


def _joined(target: Tensor, classes: Sequence[str]) -> str:
    if target.ndim == 0:
        return classes[int(target)]
    return ", ".join(classes[index] for index in target.nonzero().flatten().tolist()) or "—"
