"""A sheet in the list of a workbook of any format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.data.readers.excel.sheet import Sheet


@dataclass(frozen=True, slots=True)
class ListedSheet:
    """A name, whether the sheet is hidden, and ways to look into it."""

    name: str
    hidden: bool
    has_cells: Callable[[], bool]
    read: Callable[[], Sheet]
