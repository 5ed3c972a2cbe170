"""Numbers of a later file whose marks may be others than those of the training rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from engine.data.raw import decimal_mark_of, has_other_format
from engine.data.tables.number_format import other_reading
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import distinct_texts, tidy
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note


def other_marks(table: pa.Table, name: str, written: NumberFormat, split: str = "") -> list[Note]:
    """Return a note on numbers of a column that another format reads as others than training's.

    It has to read more of the column than the format in which the training rows are ``written``,
    or as much where the file is unlike the training file.
    """
    column = tidy(table[name])
    if not pa.types.is_string(column.type):
        return []
    values, codes = distinct_texts(column)
    mark = decimal_mark_of(table)
    unlike = has_other_format(table) or bool(mark and mark != written.decimal)
    found = other_reading(values, written, mark, unlike) if values else None
    if found is None:
        return []
    other, differs = found
    rows = int(np.append(differs, False)[codes].sum())
    of_split = f" of {split}" if split else ""
    are = "is" if rows == 1 else "are"
    why = (
        f"{counted(rows, 'number')}{of_split} {are} read as in training, such as "
        f"{written.example}; this file may mean numbers such as {other.example}, the first "
        f"{plain(values[int(differs.argmax())], 40)!r}"
    )
    return [Note(why, plain(name, 60), "numbers", rows)]
