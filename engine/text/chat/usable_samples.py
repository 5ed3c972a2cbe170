"""The samples of instructions that teach something, and a sentence on each kind of the others."""

from __future__ import annotations

from collections.abc import Iterator

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets.table import InMemoryTable
from numpy.typing import NDArray

from engine.data.labels import IGNORED
from engine.errors import DataError
from engine.reports.counted import counted
from engine.reports.note import Kind
from engine.text.chat.instructions import SAMPLE, TooLong
from engine.text.row_notes import RowNote
from engine.text.tokens.padding import counts_without


def usable(
    samples: datasets.Dataset, max_length: int, too_long: TooLong
) -> tuple[datasets.Dataset, list[RowNote]]:
    """Return the samples with a token to learn, and what there is to tell of the others.

    Raises :class:`DataError` where none is left.
    """
    table = samples.data.table.select(list(SAMPLE))
    learned = counts_without(table["labels"], IGNORED) > 0
    notes = list(_notes(table, learned, max_length, too_long))
    if learned.all():
        return samples, notes
    if not learned.any():
        raise DataError(
            f"No row can be learned. {' '.join(map(str, notes))}",
            "Raise task.max_length, or fix the data.",
        )
    return datasets.Dataset(InMemoryTable(_views(table, learned))), notes


def without_faulty(samples: datasets.Dataset) -> tuple[datasets.Dataset, list[RowNote]]:
    """Return the samples without a fault, and sentences on the others and on special tokens."""
    table = samples.data.table
    whole = np.array([not fault for fault in table["fault"].to_pylist()], bool)
    notes = [*_faults(table), *_literal(table)]
    if whole.all():
        return samples, notes
    kept = _views(table, whole) if whole.any() else table.slice(0, 0)
    return datasets.Dataset(InMemoryTable(kept)), notes


def _views(table: pa.Table, kept: NDArray[np.bool_]) -> pa.Table:
    """The rows that are kept, as views: they may lie on the disk."""
    borders = np.flatnonzero(np.diff(kept, prepend=False, append=False)).reshape(-1, 2)
    return pa.concat_tables(table.slice(first, end - first) for first, end in borders.tolist())


def _notes(
    table: pa.Table, learned: NDArray[np.bool_], max_length: int, too_long: TooLong
) -> Iterator[RowNote]:
    """Sentences on rows that were written in parts, cut, or left out."""
    rows = pc.count_distinct(table["row"]).as_py()
    if table.num_rows > rows:
        yield RowNote(
            f"{counted(rows, 'conversation')} became {table.num_rows:,} samples: the chat template "
            "writes earlier answers otherwise than the last one, so each answer is learned as the "
            "last.",
            rows=rows,
            kind="converted",
        )
    yield from _faults(table)
    yield from _samples(
        table,
        "shortened",
        "lack something of their answers",
        ": the chat template leaves it out, as some do with thoughts.",
    )
    yield from _samples(
        table,
        "unsaid",
        "lack something of the turns before their answers",
        ": the chat template leaves it out, as some do with system prompts.",
    )
    yield from _literal(table)
    dropped = too_long == "drop"
    lost = "is not learned" if dropped else "is learned up to there"
    yield from _samples(
        table,
        "cut",
        f"have an answer that reaches beyond task.max_length ({max_length:,} tokens) and {lost}",
        "; task.too_long=cut learns its beginning." if dropped else ".",
        "dropped" if dropped else "doubt",
        "task.max_length",
    )
    cut = table["cut"].to_numpy()
    whole = np.array([not fault for fault in table["fault"].to_pylist()])
    others = int((~learned & ~cut & whole).sum())
    if others:
        yield RowNote(
            f"{others:,} of {table.num_rows:,} answers have no token of their own and are not "
            "trained on.",
            rows=others,
            kind="dropped",
        )


def _samples(
    table: pa.Table, flag: str, what: str, why: str, kind: Kind = "doubt", change: str = ""
) -> Iterator[RowNote]:
    """A sentence on the samples that a column of flags marks, if there are any."""
    found = table[flag].to_numpy()
    count = int(found.sum())
    if count:
        before = f"{count:,} of {table.num_rows:,} samples {what} (the first is row "
        first = table["row"][int(found.argmax())].as_py()
        yield RowNote(before, first, f"){why}", count, kind, change)


def _faults(table: pa.Table) -> Iterator[RowNote]:
    """A sentence on the rows with each fault."""
    rows: dict[str, dict[int, None]] = {}
    for fault, row in zip(table["fault"].to_pylist(), table["row"].to_pylist(), strict=True):
        if fault:
            rows.setdefault(fault, {})[row] = None
    for fault, places in rows.items():
        before = f"{counted(len(places), 'row')} left out (the first is row "
        after = f"): {fault.removesuffix('.')}."
        yield RowNote(before, next(iter(places)), after, len(places), "dropped")


def _literal(table: pa.Table) -> Iterator[RowNote]:
    """A sentence on the samples in whose texts special tokens are plain text."""
    return _samples(
        table,
        "literal",
        "have special tokens written in their texts",
        ", which are read as plain text: only the chat template begins and ends turns. Where pairs "
        "are in the form of a template, set task.chat_template=none.",
        "converted",
        "task.chat_template",
    )
