"""Tokenised data, kept on the disk by its content.

The same rows, tokenizer and settings give the same file, so it is made once and then mapped into
memory. Anything else gives another file.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.table import InMemoryTable

from engine.data.on_disk import in_windows
from engine.errors import DataError
from engine.files.paths import cache_folder
from engine.runs.events import Event, Log

datasets.disable_progress_bars()

_SMALL = 256
"""Up to this number of rows (a prediction, say), no file is written."""

_FORMAT = 6
"""To be raised when the tasks encode otherwise than before, so that old files are not taken."""

_KEPT_SECONDS = 30 * 24 * 3600

Encode = Callable[[dict[str, list[Any]]], dict[str, list[Any]]]
"""Columns of some rows to columns of samples; there may be more samples than rows."""


def encoded(
    table: pa.Table, encode: Encode, key: Sequence[object], report: Callable[[Event], None]
) -> datasets.Dataset:
    """``encode`` over all rows of ``table``, in batches.

    ``table`` should have only the columns that ``encode`` reads; ``key`` names everything else
    that the result depends on.
    """
    small = table.num_rows < _SMALL
    digest = "small" if small else digest_of(table, [_FORMAT, *key])
    # Without the notes of ``datasets``: they would turn numbers of classes into other types.
    rows = InMemoryTable(table.replace_schema_metadata(None))
    # It would find a fingerprint by itself, for which it makes one more copy of all rows.
    source = datasets.Dataset(rows, fingerprint=digest)
    options: dict[str, Any] = {
        "batched": True, "remove_columns": table.column_names, "new_fingerprint": digest,
    }  # fmt: skip
    if small:
        return source.map(encode, keep_in_memory=True, **options)
    path = cache_folder() / "tokens" / f"{digest}.arrow"
    options["cache_file_name"] = str(path)
    if path.exists():
        try:
            path.touch()
            return source.map(encode, **options)
        except (pa.ArrowInvalid, OSError):  # cut off or damaged: it is made again
            path.unlink(missing_ok=True)
    report(Log(level="info", message=f"Tokenising {table.num_rows:,} rows."))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_old(path.parent)
        return source.map(encode, **options)
    except OSError as error:
        raise DataError(
            f"Cannot write {path.parent}: {error.strerror or error}.",
            "Free some space, or set DLTUI_HOME to a folder where you may write.",
        ) from error


def _forget_old(folder: Path) -> None:
    """Remove entries that have not been used for a long time."""
    for path in folder.glob("*.arrow"):
        if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
            path.unlink(missing_ok=True)


def digest_of(table: pa.Table, key: Sequence[object]) -> str:
    """A fingerprint of the rows, however they are cut into chunks, and of ``key``."""
    digest = hashlib.sha256(repr(list(key)).encode())
    with pa.ipc.new_stream(_Digesting(digest), table.schema.remove_metadata()) as stream:
        for piece in in_windows(table.replace_schema_metadata(None)):
            for batch in piece.combine_chunks().to_batches():
                stream.write_batch(batch)
    return digest.hexdigest()[:40]


class _Digesting:
    """A file that only counts in its digest what is written to it."""

    closed = False

    def __init__(self, digest: Any) -> None:
        self._digest = digest

    def write(self, data: Any) -> int:
        self._digest.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True
