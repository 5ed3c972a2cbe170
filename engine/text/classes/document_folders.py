"""Folders of text files, one document each, whose folders name their classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from engine.data.raw import TRAIN, RawData, RowsOfFile
from engine.data.readers.files import split_of
from engine.files.sanitize import plain
from engine.reports.note import Note
from engine.text.file_texts import texts_of_files

_TEXT, LABEL = "text", "label"
_UNLABELLED = frozenset(("unsup", "unlabeled", "unlabelled", "unsupervised"))
"""Folders of documents without a class."""
_FILES_A_CLASS = 2
"""Fewer files than this in a folder are shards, with a text a line."""


def with_folder_classes(raw: RawData) -> RawData:
    """Return a row for each file, with the name of its folder as its ``label``.

    Data of any other form stays as it is: a column beside the text, or files in one folder.
    """
    folders = Counter(_class_of(file) for file in raw.files.get(TRAIN, ()))
    known = folders.keys() - {None, ""}
    enough = len(known) > 1 and "" not in folders
    if not enough or any(folders[name] < _FILES_A_CLASS for name in known):
        return raw
    if any(table.column_names != [_TEXT] for table in raw.splits.values()):
        return raw
    splits = {split: _documents(table, raw.files[split]) for split, table in raw.splits.items()}
    example = plain(min(filter(None, known)), 40)
    why = f"each file is one text, and its folder names the class, such as {example}"
    rows = sum(table.num_rows for table in splits.values())
    return raw.with_splits(splits, Note(why, LABEL, "classes", rows, kind="converted"))


def _class_of(file: RowsOfFile) -> str | None:
    """Return the class that a file's folder names: none where it says so, empty for a split."""
    folder = file.path.parent
    if folder.name.lower() in _UNLABELLED:
        return None
    return "" if split_of(Path(folder.name)) else folder.name


def _documents(table: pa.Table, files: Sequence[RowsOfFile]) -> pa.Table:
    texts = texts_of_files(table, files)
    labels = pa.array([_class_of(file) or None for file in files], pa.string())
    return pa.table({_TEXT: pa.array(texts, pa.string()), LABEL: labels})
