"""Predictions of classes and labels, formatted for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_NONE = "—"
_LEAST = 5


def class_record(row: Sequence[float], classes: Sequence[str]) -> dict[str, Any]:
    """The likeliest class and the five that come first."""
    likeliest = sorted(range(len(row)), key=lambda index: -row[index])[:_LEAST]
    scores = {classes[index]: row[index] for index in likeliest}
    return {"label": classes[likeliest[0]], "score": row[likeliest[0]], "scores": scores}


def labels_record(row: Sequence[float], classes: Sequence[str]) -> dict[str, Any]:
    """All classes that are likelier than not; the probabilities of these, and of five at least."""
    scores = dict(sorted(zip(classes, row, strict=True), key=lambda item: -item[1]))
    labels = [name for name, score in scores.items() if score > 0.5]
    return {"labels": labels, "scores": dict(list(scores.items())[: max(_LEAST, len(labels))])}


def said(record: Mapping[str, Any]) -> str:
    """Return the class with its probability, or the labels that were found with theirs."""
    scores = record["scores"]
    labels = record["labels"] if "labels" in record else [record["label"]]
    return ", ".join(f"{name} ({scores[name]:.0%})" for name in labels) or _NONE
