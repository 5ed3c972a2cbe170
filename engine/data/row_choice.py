"""Rows that the configuration leaves out, moves or marks: by name, and duplicates."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.config.data.base import DataConfig
from engine.config.data.row_names import RowName, parse_row
from engine.data.on_disk import Rows, selected
from engine.data.raw import TEST, TRAIN, VALIDATION, RawData, files_of
from engine.data.tables.row_hashes import fingerprint, row_hashes
from engine.errors import DataError
from engine.files.paths import expanded
from engine.reports.counted import counted
from engine.reports.note import Note

_ORDER = (TRAIN, VALIDATION, TEST)
_NUMBERS = "\N{NUMERO SIGN} of the row as it was read"
"""Name of the column that carries the numbers of rows through a pipeline."""
_NUMBER_TYPE = pa.binary(8)
"""A type in which no pipeline looks for inputs."""


@dataclass
class Trace:
    """The data as it was read, and where each of its rows went."""

    splits: Mapping[str, pa.Table] = field(default_factory=dict)
    """Rows as they were read, before any was left out."""
    root: str = ""
    """The folder from which paths in them count."""

    def taken_off(self, table: pa.Table) -> tuple[pa.Table, NDArray[np.int64]]:
        """Return a table without the numbers of its rows, and these; -1 where they were lost."""
        if _NUMBERS not in table.column_names:
            return table, np.full(table.num_rows, -1)
        # Copied anew, so that its buffer begins with the first of them.
        packed = pa.concat_arrays(table[_NUMBERS].chunks or [pa.array([], _NUMBER_TYPE)])
        begin = packed.offset
        numbers = np.frombuffer(packed.buffers()[1], np.int64)[begin : begin + len(packed)]
        return table.drop_columns([_NUMBERS]), numbers

    def in_split(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the numbers of rows within the split that they were read from."""
        return np.where(numbers < 0, numbers, numbers - self._begins[self._places(numbers)])

    @property
    def _begins(self) -> NDArray[np.int64]:
        """The number of each split's first row, and that behind the last row of all."""
        return np.cumsum([0, *(table.num_rows for table in self.splits.values())])

    def _places(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the place of the split that each row was read from."""
        return np.searchsorted(self._begins, numbers, side="right") - 1

    def names(self, numbers: NDArray[np.int64]) -> list[RowName]:
        """Return the names of the rows with these numbers."""
        names, begins = list(self.splits), self._begins
        known = numbers[numbers >= 0]
        found = []
        for number, place in zip(known.tolist(), self._places(known).tolist(), strict=True):
            row = number - int(begins[place])
            values = self.splits[names[place]].slice(row, 1).to_pylist()[0]
            found.append(RowName(names[place], row + 1, fingerprint(values, self.root)))
        return found


_trace: ContextVar[Trace | None] = ContextVar("trace", default=None)


@contextmanager
def traced() -> Iterator[Trace]:
    """Let the rows that are loaded meanwhile carry their numbers through the pipeline."""
    trace = Trace()
    token = _trace.set(trace)
    try:
        yield trace
    finally:
        _trace.reset(token)


def chosen_rows(raw: RawData, config: DataConfig) -> RawData:
    """Return the data without the rows that the configuration leaves out, which are noted.

    Raises :class:`DataError` for a named row that is another one by now.
    """
    trace = _trace.get()
    if trace is not None:
        trace.splits = dict(raw.splits)
        trace.root = _root(config)
    kept = {split: np.ones(table.num_rows, np.bool_) for split, table in raw.splits.items()}
    notes = [
        *_drop_named(raw, config, kept),
        *_drop_duplicates(raw, config, kept),
        *_marked(raw, config),
    ]
    if trace is None and not notes:
        return raw
    if not kept[TRAIN].any():
        raise DataError("data.drop_rows leaves no training rows.", "Take some of them out of it.")
    first, splits = 0, {}
    for split, table in raw.splits.items():
        numbered = _numbered(table, first) if trace is not None else table
        splits[split] = numbered if kept[split].all() else selected(numbered, kept[split])
        first += table.num_rows
    files = {split: files_of(files, kept[split]) for split, files in raw.files.items()}
    return replace(raw.with_splits(splits, *notes), files=files)


def _root(config: DataConfig) -> str:
    """Return the folder of the data with the separator behind it; empty for no local data."""
    path = getattr(config, "path", "")
    return f"{expanded(path).absolute()}{os.sep}" if path else ""


def refuse_choice(config: DataConfig) -> None:
    """Raise :class:`DataError` where rows are left out of data that must have all of them."""
    for name, wanted in (
        ("duplicates", config.duplicates != "keep"),
        ("drop_rows", config.drop_rows),
        ("mark_rows", config.mark_rows),
    ):
        if wanted:
            raise DataError(
                f"data.{name} does not apply to series: each step needs its row.",
                "Reset it to its default.",
            )


def _numbered(table: pa.Table, first: int) -> pa.Table:
    numbers = np.arange(first, first + table.num_rows, dtype=np.int64)
    data = pa.py_buffer(numbers.tobytes())
    column = pa.FixedSizeBinaryArray.from_buffers(_NUMBER_TYPE, len(numbers), [None, data])
    return table.add_column(0, pa.field(_NUMBERS, _NUMBER_TYPE), column)


def _drop_named(
    raw: RawData, config: DataConfig, kept: Mapping[str, NDArray[np.bool_]]
) -> Iterator[Note]:
    names = [row for text in config.drop_rows if (row := parse_row(text)) is not None]
    for split in _ORDER:
        own = {row.number: row for row in names if row.split == split}
        if not own:
            continue
        _check_known(raw.splits.get(split), split, list(own.values()), _root(config))
        kept[split][np.array(list(own)) - 1] = False
        yield _left_out(len(own), f"named in data.drop_rows left out of {split}", "data.drop_rows")


def _marked(raw: RawData, config: DataConfig) -> Iterator[Note]:
    """Yield notes on the rows that are marked as right; they stay."""
    names = [row for text in config.mark_rows if (row := parse_row(text)) is not None]
    for split in _ORDER:
        own = [row for row in names if row.split == split]
        if own:
            _check_known(raw.splits.get(split), split, own, _root(config), "data.mark_rows")
            why = f"{counted(len(own), 'row')} of {split} marked as right in data.mark_rows stay"
            yield Note(why, rows=len(own), change="data.mark_rows", kind="converted")


def _check_known(
    table: pa.Table | None,
    split: str,
    rows: list[RowName],
    root: str,
    field: str = "data.drop_rows",
) -> None:
    count = table.num_rows if table is not None else 0
    inside = [row for row in rows if row.number <= count]
    strange = next((row for row in rows if row.number > count), None)
    if strange is None and table is not None:
        values = Rows(table).take(np.array([row.number - 1 for row in inside])).to_pylist()
        found = zip(inside, values, strict=True)
        strange = next(
            (row for row, own in found if fingerprint(own, root) != row.fingerprint), None
        )
    if strange is not None:
        what = "is another row by now" if strange.number <= count else "does not exist"
        raise DataError(
            f"{field}: row {strange.number:,} of {split} {what}.",
            "The data or the types of its columns have changed: check the data again, and take "
            f"{strange} out of {field}.",
        )


def _drop_duplicates(
    raw: RawData, config: DataConfig, kept: Mapping[str, NDArray[np.bool_]]
) -> Iterator[Note]:
    if config.duplicates != "drop":
        return
    seen: NDArray[np.uint64] = np.empty(0, np.uint64)
    for split in _ORDER:
        if split not in raw.splits:
            continue
        hashes = row_hashes(_compared(raw.splits[split], raw.train, config))
        own = np.flatnonzero(kept[split])
        new, first = np.unique(hashes[own], return_index=True)
        is_new = ~np.isin(new, seen)
        remaining = np.zeros(len(hashes), np.bool_)
        remaining[own[first[is_new]]] = True
        count = len(own) - int(remaining.sum())
        kept[split][:] = remaining
        seen = np.union1d(seen, new)
        if count:
            yield _left_out(count, f"of {split} left out as duplicates", "data.duplicates")


def _left_out(count: int, what: str, change: str) -> Note:
    return Note(f"{counted(count, 'row')} {what}", rows=count, change=change, kind="converted")


def _compared(table: pa.Table, train: pa.Table, config: DataConfig) -> pa.Table:
    """Return the columns that duplicates are equal in."""
    unused = {*config.set_as("ignored"), _NUMBERS}
    present = set(table.column_names) - unused
    return table.select([name for name in train.column_names if name in present])


def duplicates_to_train(raw: RawData, config: DataConfig) -> RawData:
    """Return the data with duplicates of training rows in the training split, if configured."""
    if config.duplicates != "train" or len(raw.splits) == 1:
        return raw
    known = np.unique(row_hashes(_compared(raw.train, raw.train, config)))
    splits, moved, notes = dict(raw.splits), [], []
    for split in (VALIDATION, TEST):
        if split not in splits:
            continue
        table = splits[split]
        twice = np.isin(row_hashes(_compared(table, raw.train, config)), known)
        if (count := int(twice.sum())) == 0:
            continue
        moved.append(selected(table, twice))
        splits[split] = selected(table, ~twice)
        what = f"of {split} moved to the training rows, of which they are duplicates"
        notes.append(_left_out(count, what, "data.duplicates"))
    if not moved:
        return raw
    splits[TRAIN] = pa.concat_tables([raw.train, *moved], promote_options="default")
    return raw.with_splits({name: table for name, table in splits.items()
                            if table.num_rows}, *notes)  # fmt: skip
