"""The prediction for a row of a table beside what is true, for the monitor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.pipelines.tabular_classification import ClassesFitted
from engine.pipelines.tabular_regression import NumbersFitted
from engine.reports.class_records import said

_UNKNOWN = "—"
"""The class of a row that no training row has."""


def class_sample(record: Mapping[str, Any], target: float, fitted: ClassesFitted) -> dict[str, str]:
    """Return the predicted class with its probability, and the true one, by its encoded target."""
    label = _UNKNOWN if target < 0 else fitted.classes[int(target)]
    return {"predicted": said(record), "label": label}


def number_sample(
    record: Mapping[str, Any], target: float, fitted: NumbersFitted
) -> dict[str, str]:
    """Return the number, its quantiles if it has some, and the true one, by its encoded target."""
    said = {name: f"{value:.5g}" for name, value in record.items()}
    true = f"{target * fitted.std + fitted.mean:.5g}"
    return {"predicted": said.pop("value"), **said, "true": true}
