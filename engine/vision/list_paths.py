"""Paths of images in lists: each list's begin in its own folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from engine.data.raw import RawData
from engine.errors import DataError
from engine.files.paths import is_file
from engine.files.sanitize import plain
from engine.reports.note import Note

_TRIED = 100
"""Paths of a list that stand for all."""


def located(raw: RawData, column: str, root: Path) -> RawData:
    """``raw`` with whole paths, where ``column`` holds the paths of images in text files.

    A list that finds none of its images in its own folder uses the nearest one above it, up to
    ``root``, in which there are some. Raises :class:`DataError` for a list without the column.
    """
    splits, notes = dict(raw.splits), []
    for split, files in raw.files.items():
        table = splits[split]
        if column not in table.column_names:
            raise DataError(
                f"{plain(files[0].path)}: there is no column {plain(column, 60)!r}, which holds "
                "the training images.",
                f"There is {', '.join(plain(name, 40) for name in table.column_names)}.",
            )
        if not _is_text(table[column].type):
            continue
        chunks, first = [], 0
        for file in files:
            paths = table[column].slice(first, file.rows).to_pylist()
            first += file.rows
            folder = _folder(paths, file.path.parent, root)
            if folder != file.path.parent:
                notes.append(Note(f"the paths in {plain(file.path)} begin at {plain(folder)}"))
            chunks.append(pa.array(_joined(folder, paths), pa.string()))
        index = table.column_names.index(column)
        splits[split] = table.set_column(index, column, pa.chunked_array(chunks, pa.string()))
    return raw.with_splits(splits, *notes)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _joined(folder: Path, paths: Sequence[str | None]) -> Iterator[str | None]:
    return (None if path is None else str(folder / path) for path in paths)


def _folder(paths: Sequence[str | None], own: Path, root: Path) -> Path:
    """Return the first folder, from ``own`` up to ``root``, that has one of the images."""
    some = [path for path in paths[:_TRIED] if path]
    for folder in _upwards(own, root):
        if any(is_file(folder / path) for path in some):
            return folder
    return own


def _upwards(own: Path, root: Path) -> Iterator[Path]:
    yield own
    if own.is_relative_to(root):
        yield from (folder for folder in own.parents if folder.is_relative_to(root))
