"""Files and folders on disk as they are found by a part of their names; all of it reads the disk.

Names with control characters are left out and counted: they cannot be shown as they are.
"""

from __future__ import annotations

import glob
import itertools
import os
import stat
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from engine.files.paths import expanded
from engine.files.sanitize import plain
from tui.format.fuzzy import match
from tui.format.numbers import size

_LOOKED_AT = 20_000
"""Entries of a folder, with those of its folders, that are read at most."""
_DEPTH = 4
"""Folders within folders that are searched."""
_MOST = 200
"""Paths that are found at most."""
_HEAD = 400
"""Bytes at the beginning of a file that are read for its first line."""
_COUNTED = 2_000
"""Entries of a folder that are counted at most."""
_LONGEST = 1_000
_BINARY = {
    b"PAR1": "Parquet", b"\x89PNG": "PNG image", b"\xff\xd8\xff": "JPEG image", b"GIF8": "GIF",
    b"SQLite format 3\0": "SQLite database", b"PK\x03\x04": "ZIP archive", b"\x1f\x8b": "gzip",
    b"ARROW1": "Arrow", b"%PDF": "PDF", b"\xd0\xcf\x11\xe0": "Office document",
}  # fmt: skip
_OF_OFFICE = (b"[Content_Types].xml", b"mimetypeapplication/vnd.oasis.opendocument")
"""Beginnings of the first file in the archive that a workbook or a document is."""


@dataclass(frozen=True, slots=True)
class FoundPath:
    """A file or folder."""

    text: str
    """The path as it is written in a field; that of a folder ends with a slash."""
    places: tuple[int, ...] = ()
    """Places of the typed letters in the text."""
    close: bool = True
    """Whether what was typed is a part of the text."""

    @property
    def folder(self) -> bool:
        """Whether it is a folder."""
        return self.text.endswith("/")


@dataclass(frozen=True, slots=True)
class Found:
    """The paths that match what was typed, and what was left out."""

    paths: Sequence[FoundPath] = ()
    exact: bool = False
    """Whether the first path is the typed one."""
    left_out: Sequence[str] = ()
    """Sentences on what was not searched."""


class PathFinder:
    """Finds paths by what is typed; a folder that was read for one text is not read again.

    Never raises: a folder that cannot be read has nothing.
    """

    def __init__(self) -> None:
        self._read: dict[tuple[str, bool, bool], _Search] = {}

    def find(self, typed: str) -> Found:
        """Find the entries of the typed folder, and those below that match the rest.

        A typed path that exists is the first.
        """
        start, slash, part = typed.rpartition("/")
        start += slash
        exact = _exact(typed)
        search = self._search(start, bool(part), part.startswith("."))
        found = [path for path in _ranked(search.paths, start, part) if path.text != exact]
        cut = [f"{len(found) - _MOST:,} more match; type more"] if len(found) > _MOST else []
        first = [FoundPath(exact)] if exact else []
        return Found([*first, *found[:_MOST]], bool(exact), [*search.left_out(), *cut])

    def _search(self, start: str, deep: bool, hidden: bool) -> _Search:
        key = (start, deep, hidden)
        if key not in self._read:
            self._read[key] = _Search(start, deep=deep, hidden=hidden)
        return self._read[key]


def _ranked(paths: Sequence[str], start: str, part: str) -> list[FoundPath]:
    matches = {path: found for path in paths if (found := match(part, path[len(start) :]))}

    def order(path: str) -> tuple[int, int, bool, str]:
        return matches[path].rank, path.rstrip("/").count("/"), not path.endswith("/"), path

    return [
        FoundPath(path, tuple(place + len(start) for place in matches[path].places), close)
        for path in sorted(matches, key=order)
        for close in [matches[path].close]
    ]


def count_of(pattern: str) -> int:
    """Return the number of files that a pattern such as ``data/*.csv`` matches, up to a limit."""
    try:
        matching = glob.iglob(str(expanded(pattern)))  # noqa: PTH207 — as the reader of files does
        return sum(1 for _ in itertools.islice(matching, _COUNTED))
    except (OSError, ValueError):
        return 0


def _exact(typed: str) -> str:
    """Return the path if it exists, that of a folder with a slash; empty otherwise."""
    if not typed:
        return ""
    try:
        mode = expanded(typed).stat().st_mode
    except (OSError, ValueError):
        return ""
    if stat.S_ISDIR(mode):
        return typed.rstrip("/") + "/"
    return "" if typed.endswith("/") else typed


class _Search:
    """The paths below a folder, breadth-first, up to a number of entries."""

    def __init__(self, start: str, *, deep: bool, hidden: bool) -> None:
        self._start = start
        self._deep = deep
        self._hidden = hidden
        self._seen = 0
        self._unsafe = 0
        self.paths: Sequence[str] = list(self._walk())

    def _walk(self) -> Iterator[str]:
        folders = deque([(self._start, 0)])
        while folders and self._seen < _LOOKED_AT:
            folder, depth = folders.popleft()
            for entry in self._entries(folder):
                is_folder = _is_folder(entry)
                path = folder + entry.name + "/" * is_folder
                yield path
                if is_folder and self._deep and depth < _DEPTH and not entry.is_symlink():
                    folders.append((path, depth + 1))

    def _entries(self, folder: str) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(expanded(folder or ".")) as entries:
                for entry in itertools.islice(entries, _LOOKED_AT - self._seen):
                    self._seen += 1
                    if plain(entry.name, _LONGEST) != entry.name:
                        self._unsafe += 1
                    elif self._hidden or not entry.name.startswith("."):
                        yield entry
        except (OSError, ValueError):  # unreadable, missing, a zero byte
            return

    def left_out(self) -> Iterator[str]:
        """Yield sentences on what is not among the paths."""
        if self._seen >= _LOOKED_AT:
            yield f"only the first {_LOOKED_AT:,} files were searched"
        if self._unsafe:
            yield f"{self._unsafe:,} with control characters in their names are left out"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class PathFacts:
    """Size and first line of a file; number and kinds of a folder's entries."""

    size: str
    line: str


def facts_of(path: FoundPath) -> PathFacts:
    """Read the facts of a file or a folder; says so where that is not possible."""
    place = expanded(path.text)
    try:
        return _folder_facts(place) if path.folder else _file_facts(place)
    except (OSError, ValueError) as error:
        return PathFacts("", f"cannot be read: {getattr(error, 'strerror', None) or error}")


def _folder_facts(place: Path) -> PathFacts:
    with os.scandir(place) as entries:
        names = list(itertools.islice(entries, _COUNTED))
    kinds = Counter(_kind(entry) for entry in names if not entry.name.startswith("."))
    line = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(4))
    line = line.replace("1 folders", "1 folder") if kinds["folders"] == 1 else line
    return PathFacts("", f"{line}, …" if len(names) == _COUNTED else line or "empty")


def _kind(entry: os.DirEntry[str]) -> str:
    if _is_folder(entry):
        return "folders"
    return PurePath(entry.name).suffix.lower()[:12] or "files"


def _file_facts(place: Path) -> PathFacts:
    # Without waiting: a named pipe would be waited for.
    number = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(number, "rb") as file:  # noqa: PTH123 — of a descriptor
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            return PathFacts("", "not a regular file")
        return PathFacts(size(status.st_size), _first_line(file.read(_HEAD)))


def _first_line(head: bytes) -> str:
    if head.startswith(b"PK") and any(mark in head for mark in _OF_OFFICE):
        return "Office document"
    for magic, name in _BINARY.items():
        if head.startswith(magic):
            return name
    if b"\0" in head:
        return "binary"
    lines = head.decode("utf-8-sig", errors="replace").lstrip().splitlines()
    if lines and "\N{REPLACEMENT CHARACTER}" in lines[0] and len(lines) > 1:
        lines = head.decode("cp1252", errors="replace").lstrip().splitlines()
    return lines[0] if lines else "empty"
