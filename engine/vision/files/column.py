"""The column with the images, in any of the supported formats.

While rows are chosen, numbers stand for the images; afterwards each chunk of the column is a
dictionary of the images as they were read. So nothing is copied, and what is mapped from the disk
stays there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from engine.data.image_record import IMAGE_RECORD
from engine.data.image_suffixes import SUFFIXES
from engine.data.raw import TRAIN
from engine.errors import DataError
from engine.text.columns import by_name

_NAMES = ("image", "img", "images", "photo", "picture", "pixels", "file", "file_name", "path")
_ENDS = rf"(?i)\.({'|'.join(SUFFIXES)})$"
_MOST = 0.5
"""A column with a larger share of names of images holds images."""


def find_image(table: pa.Table) -> str:
    """The column with images: by its content, and by its name where there are several.

    Raises :class:`DataError`.
    """
    found = [name for name in table.column_names if holds_images(table[name])]
    if not found:
        known = ", ".join(table.column_names[:10])
        raise DataError(f"No column holds images (there is {known}).", "Set task.image.")
    return by_name(table.select(found), _NAMES) or found[0]


def holds_images(column: pa.ChunkedArray) -> bool:
    """Whether a column has images: their bytes, or paths."""
    kind = column.type
    if pa.types.is_struct(kind):
        names = {kind.field(i).name for i in range(kind.num_fields)}
        return bool({"bytes", "path"} & names)
    if pa.types.is_dictionary(kind):
        return bool(pa.types.is_struct(kind.value_type))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return True
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        some = column.slice(0, 100).drop_null()
        return (pc.mean(pc.match_substring_regex(some, _ENDS)).as_py() or 0.0) > _MOST
    return False


class Images(Sequence[Any]):
    """All images of some columns, by number: records of ``bytes`` and ``path``."""

    def __init__(self, chunks: Sequence[pa.Array]) -> None:
        self.chunks = list(chunks)
        self._ends = list(accumulate(map(len, self.chunks)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, number: int) -> Any: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Any]: ...
    def __getitem__(self, number: int | slice) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        if not 0 <= number < len(self):
            raise IndexError(number)
        chunk = bisect_right(self._ends, number)
        begin = self._ends[chunk] - len(self.chunks[chunk])
        return self.chunks[chunk][number - begin].as_py()

    @property
    def nbytes(self) -> int:
        """Bytes of the images as they are stored."""
        return sum(chunk.nbytes for chunk in self.chunks)

    def select(self, numbers: np.ndarray[Any, Any]) -> pa.ChunkedArray:
        """A column of the images with these numbers, which must rise."""
        parts: list[pa.Array] = []
        bounds = np.searchsorted(numbers, [0, *self._ends])
        for chunk, low, high in zip(self.chunks, bounds, bounds[1:], strict=False):
            begin = self._ends[len(parts)] - len(chunk)
            own = pa.array(numbers[low:high] - begin, pa.int32())
            parts.append(pa.DictionaryArray.from_arrays(own, chunk))
        return pa.chunked_array(parts, pa.dictionary(pa.int32(), IMAGE_RECORD))

    def names(self) -> list[str]:
        """The path, or whatever else names each image; its row where nothing does."""
        given = (name for chunk in self.chunks for name in _names(chunk).to_pylist())
        return [f"row {row}" if name is None else str(name) for row, name in enumerate(given, 1)]


def _names(chunk: pa.Array) -> pa.Array:
    if isinstance(chunk, pa.DictionaryArray):
        return pc.struct_field(chunk.dictionary, "path").take(chunk.indices)
    return pc.struct_field(chunk, "path")


def images_of(
    table: pa.Table, column: str, called: str = "row", folder: Path | None = None
) -> Images:
    """The images of a table; those without a path are called ``row 1`` and so on.

    Paths in a column of text begin at ``folder``.
    """
    chunks, number = [], 1
    for chunk in table[column].chunks:
        if pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type):
            chunk = _paths(chunk, folder or Path())
        chunks.append(_records(chunk, called, number))
        number += len(chunk)
    return Images(chunks)


def _paths(chunk: pa.Array, folder: Path) -> pa.Array:
    # A cell without a path is text, too, where cells are read as they are written.
    given = chunk.to_pylist()
    paths = [str(folder / path) if path and path.strip() else None for path in given]
    values = [pa.nulls(len(paths), pa.binary()), pa.array(paths, pa.string())]
    return pa.StructArray.from_arrays(values, fields=list(IMAGE_RECORD))


def _records(chunk: pa.Array, called: str, first: int) -> pa.Array:
    if isinstance(chunk, pa.DictionaryArray):
        return chunk  # these have been through here before
    count = len(chunk)
    data, paths = pa.nulls(count, pa.binary()), pa.nulls(count, pa.string())
    kind = chunk.type
    if pa.types.is_struct(kind):
        fields = {kind.field(i).name for i in range(kind.num_fields)}
        data = pc.struct_field(chunk, "bytes").cast(pa.binary()) if "bytes" in fields else data
        paths = pc.struct_field(chunk, "path").cast(pa.string()) if "path" in fields else paths
    else:
        data = chunk.cast(pa.binary())
    if data.null_count < count and paths.null_count:
        numbered = pa.array([f"{called} {first + i}" for i in range(count)])
        paths = pc.if_else(pc.and_(paths.is_null(), data.is_valid()), numbered, paths)
    return pa.StructArray.from_arrays([data, paths], fields=list(IMAGE_RECORD))


class Aside:
    """The images of all splits, put aside while rows are chosen."""

    def __init__(
        self, splits: Mapping[str, pa.Table], column: str, folder: Path | None = None
    ) -> None:
        self._column = column
        parts = {
            split: images_of(table, column, _called(split), folder)
            for split, table in splits.items()
        }
        self.images = Images([chunk for part in parts.values() for chunk in part.chunks])
        self.splits: dict[str, pa.Table] = {}
        first = 0
        for split, table in splits.items():
            numbers = pa.array(np.arange(first, first + table.num_rows))
            self.splits[split] = _replaced(table, column, numbers)
            first += table.num_rows

    def back(self, table: pa.Table) -> pa.Table:
        """A table of numbers with its images again, sorted as they are stored."""
        return self.restored(table.take(pc.sort_indices(table[self._column])))

    def restored(self, table: pa.Table) -> pa.Table:
        """A table whose numbers rise with its images again."""
        numbers = table[self._column].to_numpy()
        return _replaced(table, self._column, self.images.select(numbers))


def _called(split: str) -> str:
    """Return the name of a row: the other splits may yet be cut from the training rows."""
    return "row" if split == TRAIN else f"{split} row"


def _replaced(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    index = table.column_names.index(column)
    return table.set_column(index, column, values).replace_schema_metadata(table.schema.metadata)
