"""Paths of images in lists: each list's begin in its own folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

import pyarrow as pa

from engine.data.image_layout import FILLERS, named_split
from engine.data.raw import RawData
from engine.errors import DataError
from engine.files.paths import is_file, is_folder
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.columns import is_text

_TRIED = 100
"""Paths of a list that stand for all."""
_MOST_FOLDERS = 50
"""Folders of any name beside a list in which its images are looked for at last."""
_UPLOADED = re.compile(r"[0-9a-f]{8}-")
_LEVELS = 2
"""Levels of folders in that of a list where images are looked for."""


def located(raw: RawData, column: str, root: Path) -> RawData:
    """``raw`` with whole paths, where ``column`` holds the paths of images in text files.

    A list that finds none of its images in its own folder uses a folder in it that is called after
    the list's split or ``images``, else the nearest one above it, up to ``root``, in which there
    are some, else any folder in its own that is not called after a split. Raises
    :class:`DataError` for a list without the column.
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
        if not is_text(table, column):
            continue
        chunks, first = [], 0
        for file in files:
            paths = table[column].slice(first, file.rows).to_pylist()
            first += file.rows
            if _are_of_windows(paths):
                paths = [path and path.replace("\\", "/") for path in paths]
                why = f"backslashes in the paths in {plain(file.path)} separate folders"
                notes.append(Note(why, plain(column, 40), kind="converted"))
            folder = _folder(paths, file.path.parent, root, split)
            if folder is None and (cut := _elsewhere(paths, file.path.parent, root, split)):
                folder, beginning = cut
                paths = [path and path.removeprefix(beginning) for path in paths]
                why = f"paths in {plain(file.path)} are read without {plain(beginning)}"
                notes.append(Note(why, plain(column, 40), kind="converted"))
            if folder is None and (own := _as_before_upload(paths)):
                folder = _folder(own, file.path.parent, root, split)
                if folder is not None:
                    paths = own
                    why = f"images in {plain(file.path)} are found by their names before Label "
                    why += "Studio put letters, digits and a hyphen before them"
                    notes.append(Note(why, plain(column, 40), kind="converted"))
            folder = folder or file.path.parent
            if folder != file.path.parent:
                notes.append(
                    Note(
                        f"the paths in {plain(file.path)} begin at {plain(folder)}",
                        kind="converted",
                    )
                )
            chunks.append(pa.array(_joined(folder.absolute(), paths), pa.string()))
        index = table.column_names.index(column)
        splits[split] = table.set_column(index, column, pa.chunked_array(chunks, pa.string()))
    return raw.with_splits(splits, *notes)


def _joined(folder: Path, paths: Sequence[str | None]) -> Iterator[str | None]:
    return (str(folder / path) if path and path.strip() else None for path in paths)


def _are_of_windows(paths: Sequence[str | None]) -> bool:
    some = [path for path in paths[:_TRIED] if path]
    return any("\\" in path for path in some) and not any("/" in path for path in some)


def _as_before_upload(paths: Sequence[str | None]) -> list[str | None]:
    """Return the names of files that Label Studio has renamed; empty where it did not."""
    names = [path and path.rpartition("/")[2] for path in paths]
    if not all(_UPLOADED.match(name) for name in names if name):
        return []
    return [name and _UPLOADED.sub("", name) for name in names]


def _elsewhere(
    paths: Sequence[str | None], own: Path, root: Path, split: str
) -> tuple[Path, str] | None:
    """Return the folder of images whose paths begin on another machine, and that beginning.

    It is the shortest one without which an image is found, and the first paths have it.
    """
    folders = [path.rpartition("/")[0].split("/") for path in paths[:_TRIED] if path]
    shared = [
        names[0] for names in takewhile(lambda n: len(set(n)) == 1, zip(*folders, strict=False))
    ]
    for count in range(1, len(shared) + 1):
        beginning = "/".join(shared[:count]) + "/"
        rest = [path and path.removeprefix(beginning) for path in paths]
        if folder := _folder(rest, own, root, split):
            return folder, beginning
    return None


def _folder(paths: Sequence[str | None], own: Path, root: Path, split: str) -> Path | None:
    """Return the first folder that has one of the images, beginning with the list's ``own``."""
    some = [path for path in paths[:_TRIED] if path]
    others = [folder for folder in _folders(own) if not named_split(folder.name)][:_MOST_FOLDERS]
    for folder in (own, *_inside(own, split), *_upwards(own, root), *others):
        if any(is_file(folder / path) for path in some):
            return folder
    return None


def _inside(own: Path, split: str, levels: int = _LEVELS) -> Iterator[Path]:
    """Yield the folders for images of a split in ``own``, those called after it first."""
    folders = _folders(own)
    named = [folder for folder in folders if named_split(folder.name) == split]
    neutral = [folder for folder in folders if folder.name.lower() in FILLERS]
    for folder in (*named, *neutral):
        yield folder
        if levels > 1:
            yield from _inside(folder, split, levels - 1)


def _folders(own: Path) -> list[Path]:
    try:
        return sorted(entry for entry in own.iterdir() if is_folder(entry))
    except OSError:
        return []  # nothing in it can be read


def _upwards(own: Path, root: Path) -> Iterator[Path]:
    if own.is_relative_to(root):
        yield from (folder for folder in own.parents if folder.is_relative_to(root))
