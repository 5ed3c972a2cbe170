"""Classes that may be codes for a missing label, such as -1 beside 0, 1 and 2."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from engine.data.raw import RawData, class_names
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.classes.labels import named_column

_WHOLE = re.compile(r"-?(0|[1-9]\d{0,8})")
_CODES = frozenset({-1, -9, -99, -999, -9999, 99, 999, 9999})
_MARKS = ("-", "--", "?", ".", "*")
"""Classes that may say that annotators did not agree, as ``-`` in SNLI."""
_SHOWN = 4
_NO_LABEL = "-1"
_CERTAIN = 3
"""Classes numbered from 0 beside which -1 is no class; beside 0 and 1 it may be a sentiment."""


def without_label_codes(raw: RawData, label: str, named: Collection[str]) -> RawData:
    """Return the data with -1 read as a missing label beside classes 0, 1, 2, as in SNLI and MNLI.

    A class that the user has ``named`` stays, and so does -1 beside 0 and 1 alone.
    """
    if _NO_LABEL in named or pa.types.is_nested(raw.train.schema.field(label).type):
        return raw
    if class_names(raw.train, label) is not None:
        return raw
    names = named_column(raw.train, label).unique().drop_null().to_pylist()
    if missing_class([*names, *{_NO_LABEL}.difference(names)]) != _NO_LABEL:
        return raw
    known = sorted(map(int, {*names} - {_NO_LABEL}))
    if known[0] != 0 or len(known) < _CERTAIN:
        return raw
    splits, notes = dict(raw.splits), []
    for split, table in raw.splits.items():
        if label not in table.column_names:
            continue
        coded = pc.fill_null(pc.equal(named_column(table, label), _NO_LABEL), False)
        if count := pc.sum(coded).as_py():
            values = pc.if_else(coded, pa.scalar(None, table[label].type), table[label])
            splits[split] = table.set_column(table.column_names.index(label), label, values)
            notes.append(_note(split, label, count, known[-1]))
    return raw.with_splits(splits, *notes) if notes else raw


def _note(split: str, label: str, count: int, last: int) -> Note:
    why = (
        f"{split}: -1 beside the classes 0 to {last} means that {counted(count, 'row')} "
        f"{'has' if count == 1 else 'have'} no label; task.class_names with a name for -1 makes it "
        "a class"
    )
    return Note(why, plain(label, 60), "missing", count, "task.class_names", kind="converted")


def missing_class(names: Sequence[str]) -> str:
    """Return the class that is likely a code for a missing label; empty where there is none.

    The others are two or more words, or whole numbers from 0 or 1 on, without a gap.
    """
    if len(names) > 2 and all(name[:1].isalpha() or name in _MARKS for name in names):
        marks = [name for name in names if name in _MARKS]
        return marks[0] if len(marks) == 1 else ""
    if len(names) < 3 or not all(map(_WHOLE.fullmatch, names)):
        return ""
    numbers = sorted(map(int, names))
    for code, others in ((numbers[0], numbers[1:]), (numbers[-1], numbers[:-1])):
        first = others[0]
        if code in _CODES and first in (0, 1) and others == [*range(first, first + len(others))]:
            apart = code < 0 or code > others[-1] + 1
            return str(code) if apart else ""
    return ""


def why_missing(code: str, names: Sequence[str]) -> str:
    """Return the sentence of the doubt."""
    others = [name for name in names if name != code]
    if code not in _MARKS:
        others.sort(key=int)
    shown = ", ".join(plain(name, 40) for name in others[:_SHOWN]) + ", …" * (len(others) > _SHOWN)
    return f"{code} is a class beside {shown}, though it may mean that the label is missing"
