"""A multi-layer perceptron with embeddings for categories."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.config.models.mlp import MlpConfig
from engine.models.shapes import TabularShape
from engine.models.tables.category_embedding import category_embedding

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}
_NORMALIZATIONS: dict[str, type[nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}


class Mlp(nn.Module):
    """Numbers and embedded categories side by side, then layers.

    Inputs: ``numeric`` float ``[batch, numeric]`` and ``categorical`` int64 ``[batch, columns]``;
    output ``[batch, outputs]``.
    """

    def __init__(
        self,
        numeric: int,
        cardinalities: Sequence[int],
        outputs: int,
        hidden: Sequence[int],
        dropout: float = 0.0,
        activation: str = "relu",
        normalization: str = "none",
        embedding_size: int = 0,
        frequencies: int = 0,
        frequency_scale: float = 0.1,
    ) -> None:
        """``frequencies`` above 0 is the number of waves that encode each number for the layers."""
        super().__init__()
        sizes = [embedding_size or embedding_width(count) for count in cardinalities]
        self.embeddings = nn.ModuleList(map(category_embedding, cardinalities, sizes))
        self.waves = Waves(numeric, frequencies, frequency_scale) if frequencies else None
        width = (self.waves.width if self.waves else numeric) + sum(sizes)
        layers: list[nn.Module] = []
        for size in hidden:
            layers.append(nn.Linear(width, size))
            if normalization != "none":
                layers.append(_NORMALIZATIONS[normalization](size))
            layers += [_ACTIVATIONS[activation](), nn.Dropout(dropout)]
            width = size
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(width, outputs)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits, or values."""
        codes = inputs["categorical"]
        embedded = [table(codes[:, i]) for i, table in enumerate(self.embeddings)]
        numbers = inputs["numeric"] if self.waves is None else self.waves(inputs["numeric"])
        result: Tensor = self.head(self.layers(torch.cat([numbers, *embedded], dim=1)))
        return result


class Waves(nn.Module):
    """Each number as a few features of sines and cosines of it, of frequencies that are learned.

    The embedding "PLR" of Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep
    Learning" (2022): with it a network can draw the steps that trees draw. Takes
    ``[batch, numbers]``, gives ``[batch, width]``.
    """

    def __init__(self, numbers: int, frequencies: int, scale: float, features: int = 8) -> None:
        super().__init__()
        self.width = numbers * features
        self.frequencies = nn.Parameter(torch.randn(numbers, frequencies) * scale)
        bound = 1 / math.sqrt(2 * frequencies)
        weight = torch.empty(numbers, 2 * frequencies, features)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(self.width))

    def forward(self, numbers: Tensor) -> Tensor:
        """The features of all numbers side by side."""
        angles = 2 * math.pi * self.frequencies * numbers.unsqueeze(-1)
        waves = torch.cat([angles.sin(), angles.cos()], dim=-1)
        mixed = torch.einsum("bnf,nfd->bnd", waves, self.weight).flatten(1)
        return torch.relu(mixed + self.bias)


def embedding_width(cardinality: int) -> int:
    """The rule of fastai's tabular learner: ``1.6 · n^0.56``, 50 at most here."""
    return min(50, round(1.6 * math.pow(cardinality, 0.56)))


def build(config: MlpConfig, shape: TabularShape) -> Mlp:
    """The network of a section for tables of ``shape``."""
    return Mlp(
        numeric=shape.numeric,
        cardinalities=shape.cardinalities,
        outputs=shape.outputs,
        hidden=config.hidden,
        dropout=config.dropout,
        activation=config.activation,
        normalization=config.normalization,
        embedding_size=config.embedding_size,
        frequencies=config.frequencies,
        frequency_scale=config.frequency_scale,
    )
