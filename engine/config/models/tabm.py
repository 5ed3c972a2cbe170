"""TabM: an ensemble of multi-layer perceptrons over the columns of a table."""

from __future__ import annotations

from typing import ClassVar, Literal

from typing_extensions import override

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class TabmConfig(ModelConfig):
    """Perceptrons that share most weights; sizes that are left empty go by the data."""

    kind: Literal["tabm"] = "tabm"
    title = "TabM: an ensemble of perceptrons that share their weights"
    implementation = "engine.models.tables.tabm:build"
    bfloat16_on_cpu: ClassVar[bool] = True
    by_data: ClassVar[frozenset[str]] = frozenset({
        "train.epochs", "train.batch_size", "model.width", "model.layers", "model.dropout",
        "model.embedding_size",
    })  # fmt: skip

    members: int = option(32, "Ensemble size: perceptrons that are averaged", ge=1, le=1024)
    kept: int | None = option(
        None,
        "Members that are kept after the training, chosen on the validation rows; empty keeps the "
        "fewest that are not worse than all",
        ge=1,
        le=1024,
    )
    width: int | None = option(
        None, "Width of each hidden layer; empty goes by the data", ge=1, le=16384
    )
    layers: int | None = option(
        None, "Number of hidden layers; empty goes by the data", ge=1, le=32
    )
    dropout: float | None = option(
        None, "Dropout after each hidden layer; empty goes by the data", ge=0, lt=1
    )
    bins: int = option(
        48,
        "Bins of the piecewise linear embedding of each number, cut at quantiles of the training "
        "rows; 0 uses the number itself",
        ge=0,
        le=1024,
        advanced=True,
    )
    embedding_size: int | None = option(
        None,
        "Embedding size of each number; empty goes by the number of columns",
        ge=1,
        le=1024,
        advanced=True,
    )

    @property
    @override
    def scratch_rate(self) -> float:
        return 1e-2
