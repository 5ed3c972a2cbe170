"""Predictions as a person looks at them, rather than a program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from engine.batches.source import Source
from engine.reports.gallery import Gallery
from engine.reports.picture import Picture

Records = list[dict[str, Any]]


def _no_pictures(table: pa.Table, records: Records) -> list[Picture]:
    del table, records
    return []


def _no_gallery(source: Source) -> None:
    del source


@dataclass(frozen=True)
class Presentation:
    """The records that a task predicts, as they are shown."""

    records: Callable[[Records], Records] = lambda records: records
    """Returns the predictions for rows that were typed, with what only a person looks at."""
    pictures: Callable[[pa.Table, Records], list[Picture]] = _no_pictures
    """Returns pictures of the first rows with their predictions; empty for rows of no image."""
    gallery: Callable[[Source], Gallery | None] = _no_gallery
    """Returns charts of the forecasts for encoded rows; ``None`` for other predictions."""
