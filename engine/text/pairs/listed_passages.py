"""Columns whose rows are lists of passages, as FlagEmbedding and mining tools write them.

A passage is a text, or an object with a text and maybe a title, as Tevatron has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from typing import Any

import numpy as np
import pyarrow as pa

from engine.config.tasks.embedding import EmbeddingConfig
from engine.data.on_disk import Rows, in_windows
from engine.data.raw import TRAIN, RawData
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Kind, Note
from engine.text.columns import is_list, is_text
from engine.text.written_lists import with_lists

_NEGATIVES = re.compile(r"(hard_)?neg(ative)?s?(_passages?)?", re.IGNORECASE)
_POSITIVES = re.compile(r"pos(itive)?s?(_passages?)?", re.IGNORECASE)
_TITLE, _TEXT = "title", "text"


def without_lists(raw: RawData, section: EmbeddingConfig) -> RawData:
    """Return the data with a column for each negative of a list, and a row for each positive.

    All rows have as many negatives as the shortest list of the training rows that has any.
    """
    notes: list[Note] = []
    splits = dict(raw.splits)
    names = [*filter(_NEGATIVES.fullmatch, raw.train.column_names), *section.negatives]
    for name in dict.fromkeys(filter(raw.train.column_names.__contains__, names)):
        splits, found = _with_negatives(splits, name)
        notes += found
    for name in raw.train.column_names:
        if name == section.positive or _POSITIVES.fullmatch(name):
            splits, found = _with_rows(splits, name)
            notes += found
    return raw.with_splits(splits, *notes) if notes else raw


def first_passages(table: pa.Table, name: str) -> pa.Table:
    """Return rows to predict from with the first text of each list in a column that has lists."""
    return _with_columns(table, name, [name])


def listed_passages(table: pa.Table, name: str) -> int:
    """Return the number of rows that have several texts in a list."""
    if name not in table.column_names or not _holds_texts(table, name):
        return 0
    return sum(len(texts) > 1 for texts in _lists(table, name))


_Splits = Mapping[str, pa.Table]


def _with_negatives(tables: _Splits, name: str) -> tuple[dict[str, pa.Table], list[Note]]:
    """Return the splits with a column for each text of the lists."""
    splits = {split: with_lists(table, (name,)) for split, table in tables.items()}
    if not _holds_texts(splits[TRAIN], name):
        return dict(tables), []
    sizes = _sizes(splits, name)
    width = min(filter(None, sizes[TRAIN]), default=1)
    names = _free_names(name, width, splits.values())
    splits = {split: _with_columns(table, name, names) for split, table in splits.items()}
    every = list(chain.from_iterable(sizes.values()))
    longer = sum(size > width for size in every)
    return splits, [_note(name, width, max(every, default=0), longer)]


def _with_rows(tables: _Splits, name: str) -> tuple[dict[str, pa.Table], list[Note]]:
    """Return the splits with a row for each text of the lists; one for a list without any."""
    splits = {split: with_lists(table, (name,)) for split, table in tables.items()}
    if not _holds_texts(splits[TRAIN], name):
        return dict(tables), []
    sizes = _sizes(splits, name)
    splits = {split: _repeated(table, name) for split, table in splits.items()}
    every = list(chain.from_iterable(sizes.values()))
    most, added = max(every, default=0), sum(max(0, size - 1) for size in every)
    why = f"lists of {counted(most, 'text')}"
    if added:
        why = f"lists of up to {counted(most, 'text')}: each is a row, {added:,} more than lists"
    note = Note(why, plain(name, 60), "positive", added or None, kind="converted")
    return splits, [note]


def _sizes(splits: _Splits, name: str) -> dict[str, list[int]]:
    return {
        split: [len(texts) for texts in _lists(table, name)]
        for split, table in splits.items()
        if name in table.column_names and _holds_texts(table, name)
    }


def _repeated(table: pa.Table, name: str) -> pa.Table:
    """Return the table with a row for each text of the lists of a column."""
    if name not in table.column_names or not _holds_texts(table, name):
        return table
    lists = list(_lists(table, name))
    rows = np.repeat(np.arange(table.num_rows), [max(1, len(texts)) for texts in lists])
    texts = pa.array([text for own in lists for text in own or [None]], pa.string())
    place = table.column_names.index(name)
    others = table.remove_column(place)
    if len(rows) > table.num_rows:
        others = Rows(others).take(rows)
    return others.add_column(place, name, texts)


def _free_names(name: str, width: int, tables: Iterable[pa.Table]) -> list[str]:
    """Return numbered names that no column of the tables has."""
    taken = {column for table in tables for column in table.column_names}
    free = (new for number in count(1) if (new := f"{name}_{number}") not in taken)
    return list(islice(free, width))


def columns_of_lists(table: pa.Table, names: Sequence[str]) -> tuple[str, ...]:
    """Return ``names`` with the columns that a list by a name has become."""
    return tuple(found for name in names for found in _columns(table, name))


def _columns(table: pa.Table, name: str) -> list[str]:
    if name in table.column_names:
        return [name]
    numbered = re.compile(re.escape(name) + r"_\d+")
    return list(filter(numbered.fullmatch, table.column_names)) or [name]


def _note(name: str, width: int, most: int, longer: int) -> Note:
    why = f"lists of {counted(most, 'text')}"
    if longer:
        first = "the first of each is" if width == 1 else f"the first {width:,} of each are"
        why = f"lists of up to {counted(most, 'text')}: {first} read"
    kind: Kind = "dropped" if longer else "converted"
    return Note(why, plain(name, 60), "negative", longer or None, kind=kind)


def _holds_texts(table: pa.Table, name: str) -> bool:
    if not is_list(table, name):
        return False
    kind = table.schema.field(name).type.value_type
    if pa.types.is_struct(kind):
        return _TEXT in {part.name for part in kind}
    return is_text(pa.table({"item": pa.array([], kind)}), "item")


def _lists(table: pa.Table, name: str) -> Iterator[Sequence[str | None]]:
    for piece in in_windows(table.select([name])):
        yield from ([*map(_text_of, passages or ())] for passages in piece[name].to_pylist())


def _text_of(passage: Any) -> str | None:
    """Return the text of a passage, behind its title where it has one."""
    if not isinstance(passage, Mapping):
        return None if passage is None else str(passage)
    parts = [str(passage.get(key) or "").strip() for key in (_TITLE, _TEXT)]
    return " ".join(filter(None, parts)) or None


def _with_columns(table: pa.Table, name: str, names: Sequence[str]) -> pa.Table:
    """Return the table with the first texts of each list in columns of their own."""
    if name not in table.column_names or not _holds_texts(table, name):
        return table
    columns: Mapping[str, list[str | None]] = {new: [] for new in names}
    for texts in _lists(table, name):
        for place, new in enumerate(names):
            columns[new].append(texts[place] if place < len(texts) else None)
    place = table.column_names.index(name)
    table = table.remove_column(place)
    for new in reversed(names):
        table = table.add_column(place, new, pa.array(columns[new], pa.string()))
    return table
