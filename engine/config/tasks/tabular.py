"""The fields that all tasks on tables share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from typing_extensions import override

from engine.config.fields import option
from engine.config.tasks.base import TaskConfig
from engine.files.paths import anchored, expanded, is_file, is_folder


class TabularConfig(TaskConfig):
    """The roles of the columns."""

    domain = "tabular"
    models = ("tabm", "mlp")

    target: str = option(
        "", "Target column; empty takes target, label, class, y or the last", column=True
    )
    ignore: tuple[str, ...] = option((), "Columns to leave out", column=True, found=False)
    numeric: tuple[str, ...] = option(
        (),
        "Columns to treat as numeric, whatever they look like",
        column=True,
        found=False,
        advanced=True,
    )
    categorical: tuple[str, ...] = option(
        (),
        "Columns to treat as categorical, such as numeric codes",
        column=True,
        found=False,
        advanced=True,
    )
    transform: Literal["auto", "standard", "quantile"] = option(
        "auto",
        "Scaling of numeric columns: standardize, or quantile transform; auto uses "
        "quantiles for columns with outliers",
        advanced=True,
    )
    tabicl: str = option(
        "",
        "TabICL as a further baseline, which needs no training: its name on the Hugging Face hub, "
        "a folder with its checkpoints, or one of them; needs dltui[tabicl]; empty omits it",
        suggestions=("jingang/TabICL",),
        advanced=True,
    )
    tabicl_rows: int = option(
        2000,
        "Training rows that TabICL sees at most, and test rows that it predicts at most, evenly "
        "spread",
        ge=20,
        le=1_000_000,
        unit="rows",
        advanced=True,
    )

    @property
    @override
    def extras(self) -> Mapping[str, str]:
        """TabICL's package, where it is asked for."""
        return {"tabicl": "tabicl"} if self.tabicl else {}

    @override
    def anchored(self) -> Self:
        """The same with the whole path of TabICL's checkpoints, where it is no name on the hub."""
        place = expanded(self.tabicl)
        if not self.tabicl or not (is_file(place) or is_folder(place)):
            return self
        return self.model_copy(update={"tabicl": anchored(self.tabicl)})
