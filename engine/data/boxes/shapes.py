"""JSON of drawing tools: documents and points, where they are such."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.files import safe_json

Points = list[tuple[float, float]]


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
