"""Shapes of a network's inputs and outputs, as the data requires them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TabularShape:
    """Rows of a table."""

    numeric: int
    """Numeric columns: inputs ``numeric`` are float ``[batch, numeric]``."""
    cardinalities: tuple[int, ...]
    """Number of codes of each categorical column: inputs are int64 ``[batch, columns]``."""
    outputs: int
    probabilities: bool = False
    """Whether the outputs are logits of classes."""
    edges: tuple[tuple[float, ...], ...] = ()
    """Edges of the bins of each numeric column, in the scale of the inputs; empty for none."""


@dataclass(frozen=True, slots=True)
class ImageShape:
    """Images of one size: float ``[batch, channels, size, size]``."""

    channels: int
    size: int
    outputs: int
    labels: tuple[str, ...] = ()
    """Names of the classes."""
    regression: bool = False
    """Whether the only output is a number."""


TextHead = Literal[
    "sequence_classification",
    "token_classification",
    "question_answering",
    "causal_lm",
    "seq2seq_lm",
    "embedding",
]


@dataclass(frozen=True, slots=True)
class TextShape:
    """Token numbers and their mask: int64 ``[batch, length]``, by the names transformers uses."""

    head: TextHead
    vocabulary: int
    """Vocabulary size of the tokenizer."""
    max_length: int
    """Longest input in tokens."""
    pad_token_id: int
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    labels: tuple[str, ...] = ()
    """Names of the classes, for heads that classify."""
    multi_label: bool = False
    regression: bool = False
    """Whether the head's only output is a number."""


@dataclass(frozen=True, slots=True)
class SeriesShape:
    """Windows of a series and what follows them."""

    channels: int
    """Columns, targets first: ``past`` is ``[batch, window, channels + features]``."""
    targets: int
    """Number of leading channels that are forecast: ``[batch, horizon, targets]``."""
    window: int
    horizon: int
    features: int = 0
    """Columns known in advance, such as the hour: ``future`` is ``[batch, horizon, features]``."""
    levels: tuple[float, ...] = ()
    """Quantile levels to forecast, in rising order, one of them 0.5; empty for a single value."""
    known: int = 0
    """Number of features that are columns of the data; the others are of the time."""

    @property
    def values(self) -> int:
        """Number of values that are forecast for each target and step."""
        return len(self.levels) or 1

    @property
    def outputs(self) -> int:
        """Outputs of a network for each step: the values of a target lie side by side."""
        return self.targets * self.values

    @property
    def median(self) -> int:
        """Place of the point forecast among the values."""
        return self.levels.index(0.5) if self.levels else 0
