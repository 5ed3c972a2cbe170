"""Columns whose cells hold several values: ``drama|comedy``, or lists of JSON and Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.tables.values import texts
from engine.data.tables.written_lists import with_written_lists

_SEPARATORS = ("|", ";", ",")
_FEW_VALUES = 20
"""Fewer different cells are categories, whatever is in them."""
_SEVERAL = 0.3
"""Share of the different cells that have a separator."""
_REPEATS = 5
"""Different cells that an item is in, on average: names and sentences have others each time."""
_NUMBERS = 0.5
"""Share of items that are numbers, from which on a comma stands in numbers."""
_WORDS = 4
"""Longer items are sentences."""
_MAX_ITEMS = 32
_RARE = 2
"""Items of fewer rows say nothing."""

Floats = NDArray[np.float64]


def find_separator(values: Sequence[str]) -> str:
    """Return what separates the items of different cells; empty where they are no lists."""
    if len(values) < _FEW_VALUES:
        return ""
    cells = pa.chunked_array([pa.array(values, pa.string())])
    for separator in _SEPARATORS:
        if pc.mean(pc.match_substring(cells, separator)).as_py() < _SEVERAL:
            continue
        items = pc.list_flatten(split_cells(cells, separator))
        distinct = pc.unique(items)
        digits = pc.mean(pc.match_substring_regex(distinct, r"^[-+]?[\d.]*\d$")).as_py()
        if separator == "," and digits > _NUMBERS:
            continue
        words = pc.mean(pc.add(pc.count_substring(distinct, " "), 1)).as_py()
        if len(items) >= _REPEATS * len(distinct) and words <= _WORDS:
            return separator
    return ""


def split_cells(column: pa.ChunkedArray, separator: str) -> pa.ChunkedArray:
    """Return the items of each cell as a list of texts, without blanks around them.

    A later file may have lists where the training file had texts, or the other way round; cells
    that are written as a list of JSON or Python are one.
    """
    if pa.types.is_nested(column.type):
        lists = column.cast(pa.list_(column.type.value_type))
    else:
        cells = texts(column)
        lists = with_written_lists(cells, pc.split_pattern(cells, separator or ","))
    chunks = [_tidy_items(chunk) for chunk in lists.chunks]
    return pa.chunked_array(chunks, pa.list_(pa.string()))


def _tidy_items(lists: pa.ListArray) -> pa.ListArray:
    """Return lists of texts that are not blank; missing lists are empty."""
    parents = np.asarray(pc.list_parent_indices(lists))
    items = texts(pa.chunked_array([pc.list_flatten(lists)]))
    known = np.asarray(items.is_valid())
    counts = np.bincount(parents[known], minlength=len(lists))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), items.drop_null().combine_chunks())


def common_items(column: pa.ChunkedArray, separator: str) -> list[str]:
    """Return the items of the most rows, the most frequent first."""
    counted = pc.value_counts(pc.list_flatten(split_cells(column, separator)))
    counts = {entry["values"]: entry["counts"] for entry in counted.to_pylist()}
    ranked = sorted(counts, key=lambda item: (-counts[item], item))[:_MAX_ITEMS]
    return [item for item in ranked if counts[item] >= _RARE]


def list_parts(
    column: pa.ChunkedArray, separator: str, items: Sequence[str]
) -> Mapping[str, Floats]:
    """Return whether each item is in a cell, and the number of all its items."""
    lists = split_cells(column, separator)
    rows = np.repeat(np.arange(len(lists)), np.asarray(pc.list_value_length(lists)))
    codes = pc.index_in(pc.list_flatten(lists), value_set=pa.array(items, pa.string()))
    found = np.asarray(codes.fill_null(-1))
    flags = np.zeros((len(items), len(lists)))
    flags[found[found >= 0], rows[found >= 0]] = 1
    counts = np.bincount(rows, minlength=len(lists)).astype(np.float64)
    return {f"has {item}": flags[i] for i, item in enumerate(items)} | {"items": counts}


def without_known(
    column: pa.ChunkedArray, separator: str, items: Sequence[str]
) -> NDArray[np.bool_]:
    """Return which cells have items, but none of the known ones."""
    parts = dict(list_parts(column, separator, items))
    lost: NDArray[np.bool_] = parts.pop("items") > 0
    for found in parts.values():
        lost &= found == 0
    return lost
