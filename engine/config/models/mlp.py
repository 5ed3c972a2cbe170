"""A multi-layer perceptron over the columns of a table."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class MlpConfig(ModelConfig):
    """Layers one after the other; each category is a vector that is learned."""

    kind: Literal["mlp"] = "mlp"
    title = "multi-layer perceptron"
    implementation = "engine.models.tables.mlp:build"

    hidden: tuple[int, ...] = option(
        (256, 128), "Width of each hidden layer", min_length=0, max_length=32
    )
    dropout: float = option(0.1, "Dropout after each hidden layer", ge=0, lt=1)
    activation: Literal["relu", "gelu", "silu", "tanh"] = option("relu", "Activation function")
    normalization: Literal["none", "batch", "layer"] = option(
        "none", "Normalization before each activation", advanced=True
    )
    embedding_size: int = option(
        0,
        "Embedding size of categories; 0 goes by the number of categories",
        ge=0,
        le=1024,
        advanced=True,
    )
    frequencies: int = option(
        0,
        "Frequencies of the periodic embedding of each number (PLR); 0 uses the number itself",
        ge=0,
        le=256,
    )
    frequency_scale: float = option(
        0.1, "Standard deviation of the initial frequencies", gt=0, le=100, advanced=True
    )
