"""Shapes of drawing tools: documents, points, and the boxes around them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.files import safe_json

Points = list[tuple[float, float]]
AROUND = "an outline is read as the box around it"
Object = dict[str, Any]
"""A class and its box, as a cell of a table has it."""


def document_of(path: Path) -> Any:
    """Return the content of a JSON file; ``None`` for one that cannot be read."""
    try:
        return safe_json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def points_of(given: Any) -> Points:
    """Return pairs of numbers as points; none where one of them is anything else."""
    try:
        return [(float(x), float(y)) for x, y in given]
    except (TypeError, ValueError):
        return []


def around(label: Any, points: Sequence[tuple[float, float]]) -> Object:
    """Return the object whose box lies around some points."""
    across, down = zip(*points, strict=True)
    box = [min(across), min(down), max(across), max(down)]
    return {"label": "" if label is None else str(label).strip(), "box": finite(box)}


def finite(box: Sequence[float]) -> list[float]:
    """Return a box; empty where one of its numbers is none, which is counted later."""
    return list(box) if all(map(math.isfinite, box)) else []
