"""Names of image files without their suffix, as lists of ids have them: ``000042`` of a JPEG."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from engine.data.image_index import images_below
from engine.data.image_record import IMAGE_RECORD
from engine.data.raw import RawData
from engine.data.readers.files import split_of
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.columns import is_text
from engine.vision.files.column import holds_images, images_of

_TRIED = 100
"""Values of a column that stand for all."""
_MOST = 0.5
"""A column with a larger share of names of images names them."""

Index = Mapping[str, Sequence[Path]]
"""Paths of images by their names without a suffix."""


def with_suffixes(raw: RawData, column: str, folder: Path) -> RawData:
    """Return the data with whole paths, where a column names images below ``folder`` by id alone.

    ``column`` is the one that was chosen, or empty. Ids without an image stay as they are. Images
    of another split, by the folders that they lie in, are not taken.
    """
    table = raw.train
    wanted = [column] if column else table.column_names
    if not raw.files or any(name in table.column_names and _is_named(table, name)
                            for name in wanted):  # fmt: skip
        return raw
    index = _index(folder)
    found = next((name for name in wanted if _names_images(table, name, index)), "")
    if not found:
        return raw
    splits = {
        split: _replaced(one, found, index, split, folder) for split, one in raw.splits.items()
    }
    why = f"the ids in {plain(found, 40)} are names of image files without their suffix"
    note = Note(why, plain(found, 40), "images", kind="converted")
    return replace(raw, splits=splits, notes=(*raw.notes, note))


def with_records(table: pa.Table, column: str, folder: Path) -> pa.Table:
    """Return rows to predict from whose column has records of images.

    Relative paths begin at ``folder``; images are named as :func:`with_suffixes` has it.
    """
    table = _named_in(table, column, folder)
    images = pa.chunked_array(images_of(table, column, folder=folder).chunks, IMAGE_RECORD)
    return table.set_column(table.column_names.index(column), column, images)


def _named_in(table: pa.Table, column: str, folder: Path) -> pa.Table:
    if column not in table.column_names or _is_named(table, column):
        return table
    index = _index(folder) if is_text(table, column) else {}
    named = _names_images(table, column, index)
    return _replaced(table, column, index, "", folder) if named else table


def _is_named(table: pa.Table, name: str) -> bool:
    return not is_text(table, name) or holds_images(table[name])


def _index(folder: Path) -> Index:
    index: dict[str, list[Path]] = defaultdict(list)
    for path in images_below(folder):
        index[path.stem].append(path)
    return index


def _names_images(table: pa.Table, name: str, index: Index) -> bool:
    if name not in table.column_names or not is_text(table, name):
        return False
    some = table[name].slice(0, _TRIED).drop_null().to_pylist()
    return sum(value in index for value in some) > _MOST * len(some)


def _replaced(table: pa.Table, name: str, index: Index, split: str, folder: Path) -> pa.Table:
    if name not in table.column_names:
        return table
    paths = [_path(value, index, split, folder) for value in table[name].to_pylist()]
    column = pa.array(paths, pa.string())
    changed = table.set_column(table.column_names.index(name), name, column)
    return changed.replace_schema_metadata(table.schema.metadata)


def _path(value: str | None, index: Index, split: str, folder: Path) -> str | None:
    paths = index.get(value or "", ())
    if split:
        paths = [path for path in paths if split_of(path.parent) in ("", split)]
    own = [path for path in paths if split_of(path.parent) == split] or paths
    return str((folder / own[0]).absolute()) if own else value
