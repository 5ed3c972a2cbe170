"""The fields that all tasks on tables share."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.tasks.base import TaskConfig


class TabularConfig(TaskConfig):
    """The roles of the columns."""

    domain = "tabular"
    models = ("tabm", "mlp")

    target: str = option(
        "", "Target column; empty takes target, label, class, y or the last", column=True
    )
    ignore: tuple[str, ...] = option((), "Columns to leave out", column=True)
    numeric: tuple[str, ...] = option(
        (), "Columns to treat as numeric, whatever they look like", column=True, advanced=True
    )
    categorical: tuple[str, ...] = option(
        (), "Columns to treat as categorical, such as numeric codes", column=True, advanced=True
    )
    transform: Literal["auto", "standard", "quantile"] = option(
        "auto",
        "Scaling of numeric columns: standardize, or quantile transform; auto uses "
        "quantiles for columns with outliers",
        advanced=True,
    )
