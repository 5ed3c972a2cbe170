"""The columns of a table as fitted on training rows: records only, so that imports are cheap."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

ColumnType = Literal[
    "numeric", "categorical", "date", "text", "id", "image", "list", "ignored"
]  # fmt: skip
ScoredKind = Literal["text", "id"]


ClockUnit = Literal["", "s", "ms", "us", "ns"]


_USABLE = ("numeric", "categorical", "date", "text", "id", "list")


class _Record(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64"
    )


class NumberFormat(_Record):
    """The marks with which numbers are written."""

    decimal: str = "."
    grouping: str = ""
    """Between thousands; empty for none."""
    clock: ClockUnit = ""
    """Unit of the time since midnight, where they are times of day such as ``17:30``."""

    @property
    def example(self) -> str:
        """A number in this format."""
        return "17:30" if self.clock else f"1{self.grouping}234{self.decimal}5"


class Column(_Record):
    """A column as it was found in the training rows."""

    name: str
    type: ColumnType
    reason: str = ""
    """Reason why the column is no input; empty when it can be one."""
    missing: int = 0
    distinct: int = 0
    example: str = ""
    date_format: str = ""
    """Format of the dates, where they are text."""
    number_format: NumberFormat = NumberFormat()
    """Format of the numbers, where they are text."""
    zone: str = ""
    """Time zone of the moments in the training rows, where their type has one."""
    units: tuple[str, ...] = ()
    """Units of the numbers in the training rows, an empty text for none; empty where unknown."""
    as_written: bool = False
    """Whether words such as ``NA`` are values: the column is set to be text."""
    doubt: str = ""
    """Assumption about all values that they leave open."""
    separator: str = ""
    """Mark between the items of a cell, where lists are written as text."""
    items: list[str] = []
    """The most frequent items of lists."""

    @property
    def usable(self) -> bool:
        """Whether a network over tables can take it in."""
        return self.type in _USABLE and not self.reason


class NumericFeature(_Record):
    """A number that the network takes in: a column's value, or a part of its date."""

    column: str
    part: str
    """``value``, ``missing``, or a part of a date, of a list or of a scored column."""
    knots: list[float] = []
    """Inputs of a piecewise linear map that is applied to the values first; empty for none."""
    heights: list[float] = []
    """Outputs of that map at the knots: they make the values normally distributed."""
    mean: float
    std: float


class CategoricalFeature(_Record):
    """A category that the network takes in: code 0 stands for all that are rare or unknown."""

    column: str
    categories: list[str | None]
    """Category of each code from 1 on; ``None`` is a missing value."""
    usual: int = 0
    """Code of the most frequent category; 0 in runs before it was recorded."""
    as_written: bool = False
    """Whether words such as ``NA`` are categories, not missing values."""

    @property
    def cardinality(self) -> int:
        """Number of codes."""
        return len(self.categories) + 1


class ScoredColumn(_Record):
    """A column of texts or ids as scores of the target, for :mod:`engine.data.tables.scores`.

    Matrices are the bytes of little-endian float16, row by row.
    """

    column: str
    kind: ScoredKind
    targets: list[str]
    """Name of each score."""
    weights: bytes
    """``[folds, buckets, targets]``: a ridge regression on the rows of the other folds."""
    rarity: bytes = b""
    """``[buckets]``: inverse document frequencies of texts."""
    dimensions: bytes = b""
    """``[buckets, dimensions]``: directions in which texts differ."""


class Features(_Record):
    """The mapping of rows to a network's inputs, for :mod:`engine.data.tables.features`."""

    columns: list[Column]
    """All columns that are used."""
    numeric: list[NumericFeature]
    """Those of scored columns come last."""
    categorical: list[CategoricalFeature]
    scored: list[ScoredColumn] = []
