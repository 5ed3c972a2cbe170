"""The fields that all tasks on tables share."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.tasks.base import TaskConfig


class TabularConfig(TaskConfig):
    """Which columns mean what."""

    domain = "tabular"
    models = ("mlp",)

    target: str = option(
        "", "Column to predict; empty takes target, label, class, y or the last", column=True
    )
    ignore: tuple[str, ...] = option((), "Columns that are left out", column=True)
    numeric: tuple[str, ...] = option(
        (), "Columns that are numbers, whatever they look like", column=True, advanced=True
    )
    categorical: tuple[str, ...] = option(
        (), "Columns that are categories, such as codes in digits", column=True, advanced=True
    )
    transform: Literal["auto", "standard", "quantile"] = option(
        "auto",
        "Scaling of numbers: by mean and deviation, or by rank; auto ranks those with outliers",
        advanced=True,
    )
