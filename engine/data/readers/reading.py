"""A file's content before and after it became a table."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.parquet

from engine.data.fitted import FileFormat
from engine.data.raw import Skip
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.note import Note

INCOMPLETE = "It may be incomplete or damaged: copy or download it again."
"""The remedy for a file that ends too early."""
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    ".xz": lzma.decompress,
    ".zst": lambda data: pa.CompressedInputStream(pa.BufferReader(data), "zstd").read(),
}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The user's options for reading a file."""

    delimiter: str = ""
    """Of a CSV; empty finds it."""
    header: str = "auto"
    """``auto``, ``yes`` or ``no``."""
    encoding: str = "utf-8"
    decimal: str = ""
    """Decimal mark of a CSV whose numbers leave it open."""
    as_written: bool = False
    """Whether cells stay texts as they are written, where a format has no types or loses them."""
    texts: frozenset[str] = frozenset()
    """Columns whose cells do in any case."""
    table: str = ""
    """Table of a database or sheet of a workbook; empty for the only one."""
    later: bool = False
    """Whether rows are to be predicted: a file with one table may call it otherwise."""

    @property
    def spelled(self) -> bool:
        """Whether the spelling of numbers matters in any column."""
        return self.as_written or bool(self.texts)

    def like(self, format: FileFormat | None) -> ReadOptions:
        """Return the options to read a file like another one, whose format is known."""
        if format is None:
            return self
        header = format.header if self.header == "auto" else self.header
        delimiter = self.delimiter or format.delimiter
        return replace(self, delimiter=delimiter, header=header, decimal=format.decimal)

    def keeps(self, column: str) -> bool:
        """Return whether the cells of a column stay texts as they are written."""
        return self.as_written or column.strip() in self.texts


@dataclass(frozen=True)
class Reading:
    """A file's table, and notes for the user on how it was read."""

    table: pa.Table
    notes: tuple[Note, ...] = ()
    skips: tuple[Skip, ...] = ()
    splits: Mapping[str, pa.Table] = field(default_factory=dict)
    """Other splits in the same file; ``table`` has the training rows then."""
    format: FileFormat | None = None
    """Format of a CSV file."""
    numbers: frozenset[str] = frozenset()
    """Columns of texts all of whose cells are numbers by the format of the file, whatever marks
    numbers in texts have."""


def with_numbers(table: pa.Table, columns: frozenset[str]) -> pa.Table:
    """Return a table with some of its columns as numbers in place of texts."""
    for place, name in enumerate(table.column_names):
        if name in columns and pa.types.is_string(table[place].type):
            table = table.set_column(place, name, _as_numbers(table[place]))
    return table


def _as_numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return whole numbers where all are written so, else floats."""
    given = pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)
    try:
        return given.cast(pa.int64())
    except pa.ArrowInvalid:
        return given.cast(pa.float64())


Reader = Callable[[Path, ReadOptions], Reading]


def suffix_of(path: Path) -> str:
    """Return the suffix of the format: ``.csv`` of ``rows.csv.gz``."""
    return Path(unpacked_name(path).lower()).suffix


def unpacked_name(path: Path) -> str:
    """Return the name of a file without the suffix of its compression."""
    name = path.name
    packed = next((end for end in _UNPACK if name.lower().endswith(end)), "")
    return name[: len(name) - len(packed)]


def unique_names(names: Iterable[str]) -> list[str]:
    """Names without blanks around them; empty and repeated ones get a number."""
    stripped = [name.strip() for name in names]
    taken = Counter(stripped)
    result: list[str] = []
    for number, name in enumerate(stripped, 1):
        new = name or f"column_{number}"
        suffix = 2
        while new in result or (new != name and new in taken):
            new = f"{name or f'column_{number}'}_{suffix}"
            suffix += 1
        result.append(new)
    return result


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked. Raises :class:`DataError` for a damaged archive."""
    data = path.read_bytes()
    unpack = _UNPACK.get(path.suffix.lower())
    try:
        return data if unpack is None else unpack(data)
    except (EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        problem = f"{plain(path)} is a damaged archive: {plain(error)}."
        raise DataError(problem, INCOMPLETE) from error


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """A text file, its byte order mark heeded and taken off.

    Raises :class:`DataError` that names the row and the byte that cannot be decoded.
    """
    data = read_bytes(path)
    for mark, marked in _BOMS.items():
        if data.startswith(mark):
            encoding = marked
            break
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{plain(path.name)}, row {row}: byte 0x{data[error.start]:02X} "
            f"(number {error.start + 1:,}) is not {encoding.upper()}.",
            "Save the file as UTF-8, or set data.encoding (often latin-1 or cp1252).",
        ) from error
    except (LookupError, ValueError) as error:
        raise DataError(f"data.encoding: there is no encoding {plain(encoding, 40)!r}.") from error
