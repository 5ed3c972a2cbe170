"""Text files of a folder, each as one text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import pyarrow as pa

from engine.data.raw import TRAIN, RawData, RowsOfFile
from engine.reports.note import Note
from engine.text.rows import texts_in
from engine.text.tokens.blocks import Join, are_lines

_TEXT = "text"
_MANY = 10
"""Fewer files than this are parts of one text, or books, which are cut within."""


def texts_of_files(table: pa.Table, files: Sequence[RowsOfFile]) -> list[str]:
    """Return the lines of each file as one text."""
    lines = table[_TEXT].to_pylist()
    ends = accumulate(file.rows for file in files)
    return [
        "\n".join(lines[end - file.rows : end]).strip()
        for file, end in zip(files, ends, strict=True)
    ]


def files_as_documents(raw: RawData, join: Join) -> RawData:
    """Return a row for each file of a folder of texts with many files.

    Rows stay lines where no line is blank, as each is a document then, or where ``join`` says so.
    """
    files = raw.files.get(TRAIN, ())
    if join != "auto" or len(files) < _MANY or _TEXT not in raw.train.column_names:
        return raw
    if not all(file.path.suffix.lower() in (".txt", ".md", ".markdown") for file in files):
        return raw
    if raw.train.num_rows != sum(file.rows for file in files):
        return raw
    if not are_lines(texts_in(raw.train, [_TEXT]), join):
        return raw
    splits = {
        split: pa.table({_TEXT: pa.array(texts_of_files(table, raw.files[split]), pa.string())})
        for split, table in raw.splits.items()
    }
    rows = sum(table.num_rows for table in splits.values())
    why = "each file is one document, which ends before the next begins"
    note = Note(why, _TEXT, "documents", rows, "task.join", kind="converted")
    return raw.with_splits(splits, note)
