"""A folder of images that was given as one of tables: its message names the right data source."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from engine.config.data.base import DataConfig
from engine.data.image_files import files_below
from engine.data.image_suffixes import SUFFIXES
from engine.errors import DataError
from engine.files.paths import expanded, is_file, is_folder
from engine.files.sanitize import plain

_TABLES = frozenset(("csv", "tsv", "parquet", "jsonl"))
"""Suffixes of files that hold tables; JSON beside images may hold annotations of any kind."""
_MOST = 10_000
"""Files that are looked at."""


@contextmanager
def images_instead(data: DataConfig, kind: str) -> Iterator[None]:
    """Add to a :class:`DataError` that the folder of tables has images, for the source ``kind``."""
    try:
        yield
    except DataError as error:
        path = str(getattr(data, "path", ""))
        if data.kind == "file" and kind == "image_boxes" and _is_beside_images(path):
            raise DataError(
                f"{plain(error)} JSON of drawing tools is read with the folder of its images.",
                f"Set data.kind to image_boxes, and data.path to {plain(Path(path).parent)}.",
            ) from error
        if data.kind != "file" or not _has_images(path):
            raise
        if _has(path, _TABLES):
            instead = f"If the images are meant, and not the tables beside them: data.kind={kind}."
            raise DataError(str(error), instead) from error
        raise DataError(
            f"{plain(path)} holds images; local files are tables.", f"Set data.kind to {kind}."
        ) from error


def _is_beside_images(path: str) -> bool:
    file = expanded(path)
    return file.suffix.lower() == ".json" and is_file(file) and _has_images(str(file.parent))


def _has_images(path: str) -> bool:
    return _has(path, SUFFIXES)


def _has(path: str, suffixes: Collection[str]) -> bool:
    folder = expanded(path)
    if not path.strip() or not is_folder(folder):
        return False
    names = islice(files_below(folder), _MOST)
    return any(name.suffix.lower()[1:] in suffixes for name in names)
