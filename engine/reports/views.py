"""Views of a run's results, in forms that any screen can draw.

A task returns its results as tables, matrices, lines and texts; the report keeps them as JSON. The
results screen draws each by its form, independently of the task.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from engine.reports.picture import Picture

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class View:
    """A view of a result."""

    form: ClassVar[str] = ""
    title: str

    def record(self) -> dict[str, Any]:
        """Return the view as JSON values, with its form; a number that is not finite as none."""
        return {"form": self.form} | {
            key: json_values(value) for key, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True)
class Table(View):
    """Rows and columns; numbers are shown aligned."""

    form: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class Matrix(View):
    """Counts by two labels, drawn as a heat map: rows are the truth, columns the prediction."""

    form: ClassVar[str] = "matrix"
    labels: Sequence[str]
    values: Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Lines(View):
    """Curves over a common axis, such as a forecast against the truth."""

    form: ClassVar[str] = "lines"
    x: Sequence[float]
    series: dict[str, Sequence[float | None]]
    axis: str = "step"
    """Name of the quantity in ``x``."""
    labels: Sequence[str] = ()
    """Text of each ``x``, such as a date; empty where the number says it."""
    points: Sequence[str] = ()
    """Names of curves that are points without a line between them."""


@dataclass(frozen=True, slots=True)
class Texts(View):
    """Pieces of text with captions, such as a question, its answer and the reference."""

    form: ClassVar[str] = "texts"
    items: Sequence[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Pictures(View):
    """Small pictures side by side, such as an image and what a network looks at in it."""

    form: ClassVar[str] = "pictures"
    pictures: Sequence[Picture]

    def __post_init__(self) -> None:
        read = (one if isinstance(one, Picture) else Picture(**one) for one in self.pictures)
        object.__setattr__(self, "pictures", tuple(read))


@dataclass(frozen=True, slots=True)
class Shaded(View):
    """A text in parts, each shaded by its weight: above 0 speaks for something, below against."""

    form: ClassVar[str] = "shaded"
    parts: Sequence[tuple[str, float]]


def json_values(value: Any) -> Any:
    """Return a value with ``None`` for each number that is not finite: JSON has none of these."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: json_values(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(part) for part in value]
    return value


_FORMS: dict[str, type[View]] = {
    kind.form: kind for kind in (Table, Matrix, Lines, Texts, Pictures, Shaded)
}


def read_view(record: Any) -> View | None:
    """Read back what :meth:`View.record` wrote; ``None`` for an unknown form."""
    try:
        values = dict(record)
        return _FORMS[values.pop("form")](**values)
    except (KeyError, TypeError, ValueError):
        return None
