"""The state that the pipelines of table tasks fit on the training rows."""

from __future__ import annotations

from typing import Self

from pydantic import Field
from typing_extensions import override

from engine.data.fitted import Fitted
from engine.data.tables.schema import Column, Features


class TabularFitted(Fitted):
    """Features fitted on the training rows."""

    target: str
    columns: list[Column]
    """All columns but the target, those that are left out too."""
    features: Features
    rows: int = 0
    """Training rows; 0 in models of 0.1, which did not need them."""
    edges: list[list[float]] = Field(default_factory=list)
    """Edges of the bins of each numeric feature, as it is encoded; empty where none are used."""
    members: list[int] = Field(default_factory=list)
    """Members of the trained ensemble that were kept, by number; empty where all were."""

    @property
    @override
    def numeric_columns(self) -> frozenset[str]:
        return frozenset(one.name for one in self.features.columns if one.type == "numeric")

    def without_network(self) -> Self:
        """Return what holds of any model on these features, not of the trained network alone."""
        return self.model_copy(update={"edges": [], "members": []})
