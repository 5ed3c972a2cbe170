"""Splits of several series: the later rows of each one for judging.

As with one series, a later split begins with the rows before it as context.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from engine.config.data.base import DataConfig
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.series.panel import Mask, Panel, Rows, number_series
from engine.data.series.roles import Roles
from engine.data.series.splits import described_series, series_note
from engine.data.splits import some_used
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.note import Note

SPLITS = (TRAIN, VALIDATION, TEST)
_FILLED, _OWN = "filled:", "own row:"
"""Beginnings of the names of columns that a table keeps beside those of the data."""


def cut_panel(
    panel: Panel, config: DataConfig, rows: Sequence[int], window: int, horizon: int
) -> tuple[dict[str, Panel], dict[str, Rows], list[Note]]:
    """All splits, the rows of context of each series in them, and notes.

    ``rows`` are the lengths of training, validation and test of each series, from its start. Splits
    of the source (``panel.part``) stay; for the others the fractions of ``config`` are cut from the
    end of each series' training rows, at least a horizon. A series that is too short for that is
    only trained on. Raises :class:`DataError`.
    """
    begins = panel.starts[:-1]
    if rows:
        ends, notes = _by_rows(panel, rows)
    else:
        ends, notes = _by_fractions(panel, _ends_of_source(panel), config, horizon)
    trained = int((ends[0] - begins).sum())
    if config.max_samples is not None and trained > config.max_samples:
        notes.append(some_used(config.max_samples, trained, "the last "))
        kept = (ends[0] - begins) * config.max_samples // trained
        begins = np.maximum(begins, ends[0] - np.maximum(kept, horizon + 1))
    splits, contexts, start = {}, {}, begins
    for name, end in zip(SPLITS, ends, strict=True):
        if not (end > start).any():
            continue
        context = np.where(end > start, np.minimum(window, start - begins), 0)
        splits[name] = panel.ranges(np.where(end > start, start - context, start), end)
        contexts[name] = context[end > start]
        start = end
    return splits, contexts, notes


def _ends_of_source(panel: Panel) -> list[Rows]:
    """The ends of training, validation and test in each series, as the source has them."""
    last = panel.starts[1:]
    if panel.part is None:
        return [last, last, last]
    steps = np.diff(panel.part, prepend=panel.part[:1])
    steps[panel.starts[:-1]] = 0
    if (steps < 0).any():
        raise DataError(
            "A series has training rows after rows of validation or test.",
            "Give the splits in the order of time, or in one table without splits.",
        )
    counts = [np.add.reduceat(panel.part == i, panel.starts[:-1], dtype=np.int64) for i in range(3)]
    ends = np.cumsum(counts, axis=0) + panel.starts[:-1]
    return [ends[0], ends[1], ends[2]]


def _by_rows(panel: Panel, rows: Sequence[int]) -> tuple[list[Rows], list[Note]]:
    if panel.part is not None:
        raise DataError("task.split_rows: the data already has splits.", "Leave it empty.")
    begins, last = panel.starts[:-1], panel.starts[1:]
    ends = [np.minimum(begins + count, last) for count in np.cumsum(rows).tolist()]
    left = int((last - ends[-1]).sum())
    why = f"the last rows of each series, {left:,} in all, are not used"
    note = Note(why, rows=left, change="task.split_rows", kind="dropped")
    return ends, [note] if left else []


def _by_fractions(
    panel: Panel, ends: list[Rows], config: DataConfig, horizon: int
) -> tuple[list[Rows], list[Note]]:
    """The ends of the splits, where those that the source lacks are cut from the training rows."""
    notes: list[Note] = []
    whole = ends[0] - panel.starts[:-1]
    present = () if panel.part is None else np.unique(panel.part).tolist()
    # A test part cut from the training rows would lie before a validation part of the source.
    lacking = [] if 1 in present else [i for i in (1, 2) if i not in present]
    if 1 in present and 2 not in present and config.test_fraction:
        why = "no test rows are set aside: they would lie before the validation rows of the data"
        notes.append(Note(why, read_as=TEST, kind="doubt"))
    fractions = {1: config.validation_fraction, 2: config.test_fraction}
    wanted = {
        i: np.maximum(np.rint(fractions[i] * whole).astype(np.int64), horizon)
        for i in lacking
        if fractions[i]
    }
    taken = sum(wanted.values(), np.zeros(len(panel), np.int64))
    long = whole - taken > horizon
    if wanted and not long.any():
        raise DataError(
            f"No series is long enough: the longest has {int(whole.max()):,} rows to train, "
            f"validate and test a horizon of {horizon:,}.",
            "Lower task.horizon, or data.test_fraction and data.validation_fraction to 0.",
        )
    counts = {i: np.where(long, count, 0) for i, count in wanted.items()}
    train = ends[0] - sum(counts.values(), np.zeros(len(panel), np.int64))
    # Rows between those of training and a split of the source would be of no split.
    validation = train + counts[1] if 1 in counts else np.where(ends[1] > ends[0], ends[1], train)
    for i, name in ((2, TEST), (1, VALIDATION)):
        if i in counts:
            notes.append(_aside(int(counts[i].sum()), int(whole.sum()), name))
    if wanted and not long.all():
        short = int((~long & (whole > 0)).sum())
        why = (
            f"{counted(short, 'series', 'series')} of fewer rows than validation and test need: "
            "only trained on"
        )
        notes.append(Note(why, rows=int(whole[~long].sum()), change="data.test_fraction"))
    return [train, validation, ends[2]], notes


def _aside(count: int, rows: int, split: str) -> Note:
    return Note(
        f"the last rows of each series, {count:,} in all ({count / rows:.0%}), were set aside for "
        f"{split}",
        read_as=split,
        rows=count,
        change=f"data.{split}_fraction",
        kind="converted",
    )


def length_notes(
    splits: Mapping[str, Panel],
    contexts: Mapping[str, Rows],
    roles: Roles,
    window: int,
    horizon: int,
) -> list[Note]:
    """Return notes on series that are too short; raises :class:`DataError` where all are."""
    notes = []
    for name, panel in splits.items():
        lengths, context = panel.lengths, contexts[name]
        without = lengths - np.maximum(context, 1) < horizon
        if without.all():
            raise DataError(
                f"No series has {horizon + 1:,} {name} rows, a horizon and a row before it; the "
                f"longest has {int(lengths.max()):,}.",
                "Lower task.horizon, or give longer series.",
            )
        filled = ~without & (np.where(context > 0, context, lengths - horizon) < window)
        if without.any():
            why = f"shorter than a horizon of {horizon:,}: without a window in {name}"
            notes.append(_short(panel, without, roles, why, "lost"))
        if filled.any():
            why = (
                f"with less than a window of {window:,} before a horizon in {name}: the first "
                "value is repeated before them"
            )
            notes.append(_short(panel, filled, roles, why, "doubt"))
    return notes


def _short(
    panel: Panel, series: Mask, roles: Roles, why: str, kind: Literal["lost", "doubt"]
) -> Note:
    count, rows = int(series.sum()), int(panel.lengths[series].sum())
    such = panel.name(int(series.argmax()), roles.series)
    text = f"{counted(count, 'series', 'series')}, such as {such}, {why}"
    return Note(text, rows=rows, change="task.window", kind=kind)


def panel_table(panel: Panel, roles: Roles, context: Rows) -> pa.Table:
    """Keys, time and channels as columns of a table, with a note in its schema."""
    codes = pa.array(panel.codes.astype(np.int32))
    columns = {name: _repeated(panel.keys[name], codes) for name in (*roles.series, *roles.static)}
    kind = pa.timestamp("us") if panel.frequency.dated else pa.int64()
    columns[roles.time] = pa.array(panel.times).cast(kind)
    columns |= {name: pa.array(panel.values[:, i]) for i, name in enumerate(roles.channels)}
    columns[_OWN] = pa.array(panel.steps >= np.repeat(context, panel.lengths))
    if panel.filled is not None:
        marks = zip(roles.channels, panel.filled.T, strict=True)
        columns |= {_FILLED + name: pa.array(mark) for name, mark in marks}
    return described_series(pa.table(columns), panel, roles, int(context.sum()))


def _repeated(values: pa.ChunkedArray, codes: pa.Array) -> pa.DictionaryArray:
    plain_values = values.combine_chunks()
    if pa.types.is_dictionary(plain_values.type):
        plain_values = plain_values.dictionary_decode()
    encoded = pc.dictionary_encode(plain_values, null_encoding="encode")
    return pa.DictionaryArray.from_arrays(encoded.indices.take(codes), encoded.dictionary)


def split_panel(table: pa.Table) -> tuple[Panel, Rows]:
    """The series that :func:`panel_table` wrote, and the rows of context of each."""
    note = series_note(table)
    roles = note.roles
    _, firsts = number_series(table, roles.series)
    starts = np.append(firsts, table.num_rows)
    values = np.stack([table[name].to_numpy() for name in roles.channels], 1)
    marks = [_FILLED + name for name in roles.channels if _FILLED + name in table.column_names]
    panel = Panel(
        table.select([*roles.series, *roles.static]).take(firsts),
        starts,
        table[roles.time].cast(pa.int64()).to_numpy(),
        values,
        note.frequency,
        np.stack([table[name].to_numpy() for name in marks], 1) if marks else None,
        spelling=note.spelling,
        writing=note.writing,
        formats=note.formats,
    )
    before = ~table[_OWN].to_numpy()
    return panel, np.add.reduceat(before, starts[:-1], dtype=np.int64)


def without_marks(table: pa.Table) -> pa.Table:
    """Return a table of :func:`panel_table` with the columns of the data alone."""
    names = [n for n in table.column_names if n.startswith(_FILLED) or n == _OWN]
    return table.drop_columns(names) if names else table


def join_splits(splits: Mapping[str, pa.Table]) -> tuple[pa.Table, NDArray[np.int8] | None]:
    """Return the rows of all splits in one table, and the number of the split of each."""
    some = {name: table for name, table in splits.items() if table.num_rows}
    if set(some) == {TRAIN}:
        return some[TRAIN], None
    numbers = [np.full(t.num_rows, SPLITS.index(name), np.int8) for name, t in some.items()]
    try:
        table = pa.concat_tables(some.values(), promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(
            f"The splits have columns of different types ({plain(str(error), 200)}).",
            "Give all splits the same columns.",
        ) from error
    return table.replace_schema_metadata(some[TRAIN].schema.metadata), np.concatenate(numbers)
