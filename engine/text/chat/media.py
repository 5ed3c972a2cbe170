"""Columns of images, sounds and films beside texts, which language models are not given."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from engine.files.sanitize import plain
from engine.text.columns import is_list, is_text

_NAMES = ("images", "videos", "audios")
"""As LLaMA-Factory, ms-swift and TRL call them."""
_EMPTY = pa.array(["", "[]"])
"""Texts that hold nothing."""


def media_faults(table: pa.Table, used: Sequence[str]) -> list[str | None]:
    """Return a fault for each row with something in such a column, unless it is ``used``."""
    found: list[str | None] = [None] * table.num_rows
    for name in table.column_names:
        if name.lower() in _NAMES and name not in used:
            shown = plain(name, 40)
            fault = (
                f"it has {shown}, which the model is not given; data.columns.{shown}=ignored "
                "learns the texts alone"
            )
            for row in pc.indices_nonzero(_given(table, name)).to_pylist():
                found[row] = fault
    return found


def _given(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return whether each row has something in a column; lists are often empty."""
    column = table[name]
    if is_list(table, name):
        return pc.fill_null(pc.greater(pc.list_value_length(column), 0), False)
    given = pc.is_valid(column)
    if is_text(table, name):
        given = pc.and_(given, pc.invert(pc.is_in(column, _EMPTY)))
    return given
