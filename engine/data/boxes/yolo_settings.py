"""YOLO's ``data.yaml``: names of classes, key points, and where the splits are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from engine.errors import DataError
from engine.files.sanitize import plain

Settings = Mapping[str, Any]
_SUFFIXES = (".yaml", ".yml")
_SPLITS = frozenset(("train", "val", "valid", "test"))


def settings_of(root: Path, files: Sequence[Path]) -> Settings:
    """Return the content of the YAML file that describes the data set; empty for none.

    Of several with names of classes, one that names splits too goes first, then ``data.yaml``, then
    one in the outermost folder: files of trainings lie beside it. Every scalar is a text as it is
    written: a class may be called no, 01 or 1.10. Raises :class:`DataError`.
    """
    tried = {file: _record(root / file) for file in files if file.suffix.lower() in _SUFFIXES}
    read = {file: record for file, record in tried.items() if not isinstance(record, DataError)}
    faults = [record for record in tried.values() if isinstance(record, DataError)]
    if faults and not any(map(names_of, read.values())):
        raise faults[0]
    named = [file for file, record in read.items() if names_of(record)] or list(read)

    def order(file: Path) -> tuple[bool, bool, int, Path]:
        return (not _SPLITS & read[file].keys(), file.stem.lower() != "data", len(file.parts), file)

    return read[min(named, key=order)] if named else {}


def names_of(settings: Settings) -> dict[int, str]:
    """Return the names of classes by number; empty for none."""
    names = settings.get("names")
    if isinstance(names, list):
        return {number: str(name or number) for number, name in enumerate(names)}
    if isinstance(names, dict) and all(str(number).isdecimal() for number in names):
        numbered = sorted((int(number), name) for number, name in names.items())
        return {number: str(name or number) for number, name in numbered}
    return {}


def key_point_numbers(settings: Settings) -> int:
    """Return how many numbers of key points a line has behind its box; 0 for none."""
    shape = settings.get("kpt_shape")
    if not isinstance(shape, list) or not all(str(one).isdecimal() for one in shape):
        return 0
    return int(shape[0]) * int(shape[1]) if len(shape) == 2 else 0


def _record(path: Path) -> Settings | DataError:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        record = yaml.load(text, yaml.BaseLoader)
    except (OSError, yaml.YAMLError, RecursionError) as error:
        return DataError(f"{plain(path)} cannot be read: {plain(error)}.")
    return record if isinstance(record, dict) else {}
