"""Hashes of rows: of many at once to find duplicates, of single ones to know them again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.data.on_disk import in_windows
from engine.data.tables.values import is_number

Hashes = NDArray[np.uint64]
_MISSING = np.uint64(0x9E3779B97F4A7C15)
_MIXED = np.uint64(0x100000001B3)
_AT_ONCE = 1 << 16
_EXACT = 2**53
_DIGITS = 15
"""Whole numbers of more digits may be rounded as float64."""
_DIGEST = 4
"""Bytes of a fingerprint."""


def row_hashes(table: pa.Table) -> Hashes:
    """Return a hash of each row; equal rows of tables with equal types have equal ones."""
    total = np.full(table.num_rows, len(table.column_names), np.uint64)
    for name in table.column_names:
        total ^= _column_hashes(table[name])
        total *= _MIXED
        total ^= total >> np.uint64(29)
    return total


def _column_hashes(column: pa.ChunkedArray) -> Hashes:
    pieces = in_windows(pa.table({"": column}), _AT_ONCE)
    parts = [_piece_hashes(piece[""].combine_chunks()) for piece in pieces]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)


def _piece_hashes(values: pa.Array) -> Hashes:
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.cast(kind.value_type)
        kind = kind.value_type
    if is_number(kind) and not _beyond_floats(values):
        numbers = np.asarray(values.to_numpy(zero_copy_only=False), np.float64) + 0.0
        hashes: Hashes = pd.util.hash_array(np.where(np.isnan(numbers), np.nan, numbers))
        return hashes
    if pa.types.is_nested(kind):
        return np.array([_hash_of(cell) for cell in values.to_pylist()], np.uint64)
    encoded = values.dictionary_encode()
    known = np.array([_hash_of(cell) for cell in encoded.dictionary.to_pylist()], np.uint64)
    codes = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    return np.asarray(np.append(known, _MISSING)[codes], np.uint64)


def _beyond_floats(values: pa.Array) -> bool:
    """Return whether different whole numbers are one number as float64."""
    if not pa.types.is_integer(values.type) or values.type.bit_width < 64:
        return False
    bounds = pc.min_max(values).as_py()
    return max(-(bounds["min"] or 0), bounds["max"] or 0) > _EXACT


def _hash_of(cell: Any) -> int:
    return int.from_bytes(hashlib.blake2b(_exactly(cell), digest_size=8).digest(), "big")


def fingerprint(row: Mapping[str, Any], root: str = "") -> str:
    """Return a short hash of a row's values: numbers and texts that stand for them are alike.

    Paths below the folder ``root`` count from there, so that it may move.
    """
    digest = hashlib.blake2b(digest_size=_DIGEST)
    for name in sorted(row):
        for part in (name.encode(errors="replace"), _loosely(_below(row[name], root))):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def _below(cell: Any, root: str) -> Any:
    """Return a cell whose path, if it has one, begins at ``root``."""
    if isinstance(cell, Mapping) and isinstance(cell.get("path"), str):
        return {**cell, "path": _below(cell["path"], root)}
    return cell.removeprefix(root) if root and isinstance(cell, str) else cell


def _exactly(cell: Any) -> bytes:
    """Return the bytes of a cell: of an image those of its file, where they are there."""
    if isinstance(cell, Mapping) and isinstance(cell.get("bytes"), bytes):
        data: bytes = cell["bytes"]
        return data
    return cell if isinstance(cell, bytes) else str(cell).encode(errors="replace")


def _loosely(cell: Any) -> bytes:
    """Return the bytes of a cell, the same for a number and for texts that stand for it."""
    if cell is None or cell != cell:
        return b""
    if isinstance(cell, bool):
        return str(cell).lower().encode()
    text = str(cell).strip()
    if not isinstance(cell, int | float | str) or (text.isdecimal() and len(text) > _DIGITS):
        return _exactly(cell)
    try:
        return repr(float(text)).encode()
    except ValueError:
        return text.encode(errors="replace")
