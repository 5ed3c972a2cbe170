"""The fields that transformers share: pre-trained weights, or the size of a new network."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from engine.config.fields import option
from engine.config.models.base import ModelConfig
from engine.files.paths import anchored, expanded, is_folder

PATH_HELP = "Name on the Hugging Face hub, a folder, or a finished run; empty trains from scratch"


class WeightsConfig(ModelConfig):
    """Pre-trained weights by name, folder or run."""

    base_name = "engine.models.weights.pretrained:base_of"

    path: str = option("", PATH_HELP)
    revision: str = option(
        "main", "Branch, tag or commit on the hub", advanced=True, weights="pre-trained"
    )

    def anchored(self) -> Self:
        """The same with a whole path, where it is a folder and not a name on the hub."""
        if not self.path or not is_folder(expanded(self.path)):
            return self
        return self.model_copy(update={"path": anchored(self.path)})

    @property
    def from_scratch(self) -> bool:
        """Whether there are no pre-trained weights."""
        return not self.path

    def exported(self, folder: Path) -> Self:
        """The network as it lies in an exported folder."""
        return self.model_copy(update={"path": str(folder), "revision": "main"})


class PretrainedModelConfig(WeightsConfig):
    """The pre-trained weights, or the size of a network from scratch."""

    hidden_size: int = option(128, "Hidden size (from scratch)", weights="new", ge=8, le=16_384)
    num_hidden_layers: int = option(
        2, "Number of layers (from scratch)", weights="new", ge=1, le=200
    )
    num_attention_heads: int = option(
        4, "Attention heads per layer (from scratch)", weights="new", ge=1, le=256
    )
    dropout: float = option(0.1, "Dropout (from scratch)", weights="new", ge=0, lt=1)
    gradient_checkpointing: bool = option(
        False,
        "Gradient checkpointing: recompute activations in the backward pass to save memory",
        advanced=True,
    )

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise PydanticCustomError(
                "mismatch",
                "{heads} heads do not divide the width {width}",
                {
                    "field": "num_attention_heads",
                    "heads": self.num_attention_heads,
                    "width": self.hidden_size,
                },
            )
        return self
