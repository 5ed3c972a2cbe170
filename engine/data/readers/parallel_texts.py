"""Texts in two languages, in two files that differ in their last part: ``train.en``, ``train.de``.

The line of one is the translation of the same line of the other, as Moses, OPUS and WMT keep them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from engine.data.image_suffixes import SUFFIXES
from engine.data.readers.reading import Reading, ReadOptions, read_text, unpacked_name
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z]{2,4})?")
_OTHERS = frozenset((
    "cfg", "ids", "log", "md", "pdf", "py", "sh", "tmx", "xml", "yml", "zip", *SUFFIXES,
))  # fmt: skip
"""Last parts of names that lie beside such files and are no languages."""


def other_half(path: Path) -> Path | None:
    """Return the file with the other language beside one of a pair; ``None`` for other files."""
    if not _parts(path)[1]:
        return None
    pair = next((pair for pair in _pairs(path.parent.iterdir()) if path in pair), ())
    return next((half for half in pair if half != path and half.is_file()), None)


def first_halves(files: Iterable[Path]) -> list[Path]:
    """Return the first file of each pair, in the order of their names."""
    return [min(pair) for pair in _pairs(files)]


def _pairs(files: Iterable[Path]) -> list[list[Path]]:
    """Return the files that are two of one name and of different languages."""
    alike: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for file in files:
        stem, language = _parts(file)
        if stem and language:
            alike[file.parent, stem].append(file)
    return [found for found in alike.values() if len(found) == 2]


def read_pair(path: Path, options: ReadOptions) -> Reading:
    """Return a column for each language, named by it. Raises :class:`DataError`."""
    other = other_half(path)
    if other is None:
        raise DataError(f"There is no file of another language beside {plain(path.name)}.")
    halves = sorted((path, other))
    lines = {_parts(half)[1]: _lines(half, options) for half in halves}
    counts = [len(part) for part in lines.values()]
    first, second = (plain(half.name, 60) for half in halves)
    if counts[0] != counts[1]:
        raise DataError(
            f"{first} has {counted(counts[0], 'line')} and {second} {counted(counts[1], 'line')}: "
            "line by line, they should be translations.",
            "Download both again, or mend the shorter one.",
        )
    why = f"{first} and {second} are read side by side"
    return Reading(pa.table(lines), (Note(why, rows=counts[0], kind="converted"),))


def _parts(path: Path) -> tuple[str, str]:
    """Return a file's name up to its language, and the language; empty where it has none."""
    stem, _, last = unpacked_name(path).rpartition(".")
    return stem, last if _LANGUAGE.fullmatch(last) and last not in _OTHERS else ""


def _lines(path: Path, options: ReadOptions) -> list[str]:
    text = read_text(path, options.encoding).replace("\r\n", "\n").removesuffix("\n")
    return text.split("\n")
