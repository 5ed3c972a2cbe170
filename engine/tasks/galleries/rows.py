"""Rows of a table or texts that a network was the most wrong about, to look through on a screen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from itertools import chain, repeat
from typing import Any

import pyarrow as pa

from engine.files.sanitize import plain
from engine.metrics.tables.worst_rows import WrongRows
from engine.metrics.text.mistakes import LabelledTexts, WrongText
from engine.metrics.text.numbers import TextNumbers
from engine.reports.gallery import Explained, Gallery
from engine.reports.views import Cell, Table, Texts

_SHORT = 200
"""Characters of a text in the list."""
_LONGEST = 20_000
"""Characters of a value that are kept whole."""
_DATES = (date, datetime, time)


def rows_gallery(
    worst: WrongRows | None, rows: pa.Table | None, inputs: Sequence[str]
) -> Gallery | None:
    """Return the worst rows of a table, each with the values of all its columns.

    ``rows`` are all rows of the split; ``inputs`` name the columns that the network was shown.
    ``None`` without any mistake.
    """
    if worst is None or rows is None or not worst.numbers:
        return None
    # Names first: numbers stand on the right in the list.
    order = sorted(range(len(worst.table.columns)), key=lambda at: _is_number(worst.table, at))
    records = rows.take(pa.array(worst.numbers, pa.int64())).to_pylist()
    targets = worst.predicted or repeat("")
    return Gallery(
        "Mistakes" if worst.predicted else "Errors",
        [worst.table.columns[at] for at in order],
        [[line[at] for at in order] for line in worst.table.rows],
        [
            Table(f"Row {number + 1:,} of the split", ["column", "value"], _cells(record))
            for number, record in zip(worst.numbers, records, strict=True)
        ],
        worst.total,
        [
            Explained({name: _json(record[name]) for name in inputs if name in record}, target)
            for record, target in zip(records, targets, strict=False)
        ],
    )


def texts_gallery(
    evaluated: LabelledTexts | None, columns: Sequence[str], several: bool
) -> Gallery | None:
    """Return the worst mistakes of an evaluation of texts, each with its whole text.

    ``columns`` are those of the text and of the second one of a pair; ``several`` says whether a
    text can have several labels. ``None`` without any mistake.
    """
    if evaluated is None or not evaluated.worst:
        return None
    judged = ["most wrong"] * several
    return Gallery(
        "Mistakes",
        ["text", "label", "predicted", *judged, "probability"],
        [_line(one, several) for one in evaluated.worst],
        [_whole(one, columns) for one in evaluated.worst],
        evaluated.mistakes,
        [
            Explained({name: _json(one.row.get(name)) for name in columns}, one.mistake.judged)
            for one in evaluated.worst
        ],
    )


def numbers_gallery(evaluated: TextNumbers | None, columns: Sequence[str]) -> Gallery | None:
    """Return the texts whose predicted numbers are the farthest from the truth, each whole.

    ``columns`` are those of the text and of the second one of a pair. ``None`` for no texts.
    """
    if evaluated is None or not evaluated.worst:
        return None
    rows = [dict(zip(columns, one.texts, strict=False)) for one in evaluated.worst]
    return Gallery(
        "Errors",
        ["text", "true", "predicted", "difference"],
        [
            [plain(one.text, _SHORT), one.true, one.predicted, one.predicted - one.true]
            for one in evaluated.worst
        ],
        [
            Texts(plain(one.text, 60), [
                {name: plain(text, _LONGEST) for name, text in row.items()}
                | {name: text for name, text in one.record().items() if name != "text"}
            ])
            for row, one in zip(rows, evaluated.worst, strict=True)
        ],
        evaluated.total,
        [Explained(row) for row in rows],
    )  # fmt: skip


def _is_number(table: Table, place: int) -> bool:
    return all(isinstance(row[place], int | float) for row in table.rows)


def _cells(record: Mapping[str, Any]) -> list[list[Cell]]:
    return [[name, plain(_text(value), _LONGEST)] for name, value in record.items()]


def _line(one: WrongText, several: bool) -> list[Cell]:
    wrong = one.mistake
    judged = [wrong.judged] * several
    share = round(wrong.probability, 4)
    return [plain(one.text, _SHORT), wrong.label, wrong.predicted, *judged, share]


def _whole(one: WrongText, columns: Sequence[str]) -> Texts:
    inputs = {name: plain(_text(one.row.get(name)), _LONGEST) for name in columns}
    prediction = {name: text for name, text in one.record().items() if name != "text"}
    return Texts(plain(one.text, 60), [dict(chain(inputs.items(), prediction.items()))])


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _json(value: Any) -> Any:
    """Return a value as it can be kept as JSON, and be given as a row to predict from."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, _DATES):
        return value.isoformat()
    if isinstance(value, list):
        return [_json(part) for part in value]
    return str(value)
