"""Labels that mean one class and are written in several ways, or in several shapes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from engine.data.raw import TRAIN, RawData
from engine.data.tables.categories import respelled
from engine.files.sanitize import plain
from engine.reports.note import Kind, Note
from engine.text.classes.labels import Label, labels_of, names_in
from engine.text.columns import is_list
from engine.text.rows import without_faults
from engine.text.written_lists import with_lists

_SHOWN = 3
_WHOLE = re.compile(r"[-+]?\d+(\.0*)?")


def with_label_lists(raw: RawData, label: str) -> RawData:
    """Return the data with lists of labels that are written as text, ``["a", "b"]``, as lists."""
    splits = {split: _with_lists(table, label) for split, table in raw.splits.items()}
    if all(splits[split] is table for split, table in raw.splits.items()):
        return raw
    why = f"the texts in {plain(label, 40)} are lists: a row can have several labels"
    return raw.with_splits(splits, Note(why, plain(label, 40), "list", kind="converted"))


def _with_lists(table: pa.Table, label: str) -> pa.Table:
    read = with_lists(table, (label,))
    if read is table:
        return table
    cells = zip(read[label].to_pylist(), labels_of(table, label), strict=True)
    # Among lists, a text that is none is a single label.
    whole = [names_in(alone) or None if names is None else names for names, alone in cells]
    column = pa.array(whole, pa.list_(pa.string()))
    return read.set_column(read.column_names.index(label), label, column)


def with_known_labels(raw: RawData, label: str) -> RawData:
    """Return the data with labels as the training rows write them, and without unknown classes.

    ``1.0`` means ``1`` where all classes are numbers. In other splits, capitals and blanks make no
    other class either, and a list with one label is this label where training rows have one each.
    An unknown class cannot be learned; among several labels of a row,
    it may just be missing.
    """
    several = is_list(raw.train, label)
    if not several:
        raw = without_faults(raw, lambda table: _of_several(table, label))
    written = sorted(_counts(raw.train, label))
    one_each = _one_each(written)
    classes = list(dict.fromkeys(one_each.values()))
    splits, notes = dict(raw.splits), list(_doubts(classes))
    for split, table in raw.splits.items():
        if label not in table.column_names:
            continue
        counts = _counts(table, label)
        meanings = one_each if split == TRAIN else _meanings(counts, classes)
        meanings = {name: meant for name, meant in meanings.items() if name != meant}
        if meanings:
            notes.append(_note(split, label, meanings, sum(counts[name] for name in meanings)))
        if meanings or is_list(table, label) != several:
            column = _column(labels_of(table, label), meanings, several)
            splits[split] = table.set_column(table.column_names.index(label), label, column)
    return _without_strangers(raw.with_splits(splits, *notes), label)


def codes_of(labels: Iterable[Label], classes: Sequence[str]) -> list[int]:
    """Return the number of each row's class, also where a run of before wrote it otherwise."""
    codes = {name: code for code, name in enumerate(classes)}
    names = [str(label) for label in labels]
    meanings = _respelled(list(set(names) - set(classes)), classes)
    return [codes[meanings.get(name, name)] for name in names]


def _of_several(table: pa.Table, label: str) -> list[str | None]:
    if not is_list(table, label):
        return [None] * table.num_rows
    counts = [len(names_in(entry)) for entry in labels_of(table, label)]
    return [None if count == 1 else "it has not one label as training rows" for count in counts]


def _counts(table: pa.Table, label: str) -> Counter[str]:
    return Counter(name for entry in labels_of(table, label) for name in names_in(entry))


def _column(labels: Iterable[Label], meanings: Mapping[str, str], several: bool) -> pa.Array:
    """Return labels in their new spelling, as a list each or as one each."""
    cells = [
        None if entry is None else [meanings.get(name, name) for name in names_in(entry)]
        for entry in labels
    ]
    if several:
        return pa.array(cells, pa.list_(pa.string()))
    return pa.array([cell[0] if cell else None for cell in cells], pa.string())


def _one_each(classes: Sequence[str]) -> dict[str, str]:
    """Return the spelling of each training class: without ``.0`` where all are whole numbers.

    ``1.1`` and ``1.10`` may be versions, and folders called ``True`` and ``true`` are two classes.
    """
    if not all(map(_WHOLE.fullmatch, classes)):
        return dict(zip(classes, classes, strict=True))
    return _respelled(classes, sorted(classes, key=len, reverse=True))


def _meanings(names: Iterable[str], classes: Sequence[str]) -> dict[str, str]:
    """Return the class that each of ``names`` means that is none itself."""
    known = set(classes)
    strange = [name for name in names if name not in known]
    alike = defaultdict(list)
    for name in classes:
        alike[_folded(name)].append(name)
    meanings = _respelled(strange, classes, labels=True)
    by_letters = {name: found[0] for name in strange if len(found := alike[_folded(name)]) == 1}
    return meanings | {name: meant for name, meant in by_letters.items() if meanings[name] == name}


def _respelled(
    names: Sequence[str], classes: Sequence[str], labels: bool = False
) -> dict[str, str]:
    column = pa.chunked_array([pa.array(names, pa.string())])
    return dict(zip(names, respelled(column, classes, labels).to_pylist(), strict=True))


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


def _doubts(classes: Sequence[str]) -> Iterator[Note]:
    """Yield a note on classes of the training rows that differ in capitals or blanks alone."""
    alike = defaultdict(list)
    for name in classes:
        alike[_folded(name)].append(plain(name, 40))
    pairs = [" and ".join(names) for names in alike.values() if len(names) > 1]
    if pairs:
        yield Note(f"classes that differ in capitals or blanks alone: {', '.join(pairs[:_SHOWN])}")


def _note(split: str, label: str, meanings: Mapping[str, str], count: int) -> Note:
    pairs = [f"{plain(name, 40)} as {plain(meant, 40)}" for name, meant in meanings.items()]
    more = f" and {len(pairs) - _SHOWN:,} more" if len(pairs) > _SHOWN else ""
    why = (
        f"{count:,} values of {plain(label, 40)} in {split} are read in the spelling of other "
        f"training rows: {', '.join(pairs[:_SHOWN])}{more}"
    )
    certain = all(_folded(n) == _folded(m) or _WHOLE.fullmatch(m) for n, m in meanings.items())
    kind: Kind = "converted" if certain else "doubt"
    return Note(why, plain(label, 40), "categorical", count, kind=kind)


def _without_strangers(raw: RawData, label: str) -> RawData:
    known = set(_counts(raw.train, label))

    def faults(table: pa.Table) -> list[str | None]:
        return [
            "its class is not in the training rows"
            if isinstance(name, str) and name not in known
            else None
            for name in labels_of(table, label)
        ]

    return without_faults(raw, faults)
