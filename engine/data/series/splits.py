"""Splits of a series: always the earlier rows for training, the later ones for judging.

A later split begins with the last rows of the one before, as context for its first windows. How
many these are is noted in the schema of its table, beside what the columns are for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.config.data.base import DataConfig
from engine.data.raw import TEST, TRAIN, VALIDATION
from engine.data.series.frequency import Frequency
from engine.data.series.panel import Panel
from engine.data.series.read import Series
from engine.data.series.roles import Roles
from engine.data.splits import set_aside, some_used
from engine.data.tables.schema import NumberFormat
from engine.errors import DataError
from engine.reports.counted import counted
from engine.reports.note import Note

_KEY = b"series"


def cut_in_time(
    parts: Mapping[str, Series], config: DataConfig, rows: Sequence[int], context: int
) -> tuple[dict[str, Series], dict[str, int], list[Note]]:
    """All splits, the rows of context in each, and notes.

    ``rows`` are the lengths of training, validation and test from the beginning; without them the
    fractions of ``config`` are cut from the end of the training rows for what ``parts`` lack.
    Raises :class:`DataError`.
    """
    if rows:
        splits, notes = _by_rows(parts, rows)
    else:
        splits, notes = _by_fractions(parts, config)
    train = splits[TRAIN]
    if config.max_samples is not None and len(train) > config.max_samples:
        notes.append(some_used(config.max_samples, len(train), "the last "))
        splits[TRAIN] = train.slice(len(train) - config.max_samples, len(train))
    return *_with_context(splits, context), notes


def _by_rows(
    parts: Mapping[str, Series], rows: Sequence[int]
) -> tuple[dict[str, Series], list[Note]]:
    whole = parts[TRAIN]
    if len(parts) > 1:
        raise DataError("task.split_rows: the data already has splits.", "Leave it empty.")
    if sum(rows) > len(whole):
        raise DataError(
            f"task.split_rows asks for {sum(rows):,} rows; the data has {len(whole):,}.",
            "Lower the numbers, or leave them out to go by data.test_fraction.",
        )
    ends = np.cumsum([0, *rows])
    names = (TRAIN, VALIDATION, TEST)
    splits = {
        name: whole.slice(int(a), int(b)) for name, a, b in zip(names, ends, ends[1:], strict=False)
    }
    left = len(whole) - sum(rows)
    note = Note(
        f"the last {counted(left, 'row')} are not used",
        rows=left,
        change="task.split_rows",
        kind="dropped",
    )
    return splits, [note] if left else []


def _by_fractions(
    parts: Mapping[str, Series], config: DataConfig
) -> tuple[dict[str, Series], list[Note]]:
    splits = dict(parts)
    notes: list[Note] = []
    total = len(parts[TRAIN])
    for name, fraction in ((TEST, config.test_fraction), (VALIDATION, config.validation_fraction)):
        count = round(fraction * total)
        train = splits[TRAIN]
        if name in parts or not count:
            continue
        if count >= len(train):
            raise DataError("No rows are left to train on.", "Lower data.test_fraction.")
        splits[TRAIN] = train.slice(0, len(train) - count)
        splits[name] = train.slice(len(train) - count, len(train))
        notes.append(set_aside(count, fraction, name, "the last "))
    return splits, notes


def _with_context(
    splits: Mapping[str, Series], count: int
) -> tuple[dict[str, Series], dict[str, int]]:
    """Prepend the last ``count`` rows before a split, if there is no gap."""
    before: Series | None = None
    extended, lengths = {}, {}
    for name in (TRAIN, VALIDATION, TEST):
        if name not in splits:
            continue
        own = splits[name]
        extended[name], lengths[name] = own, 0
        if before is not None and before.precedes(own):
            lengths[name] = min(count, len(before))
            extended[name] = own.after(before.slice(len(before) - lengths[name], len(before)))
            own = own.after(before)
        before = own
    return extended, lengths


@dataclass(frozen=True)
class SeriesNote:
    """The note in the schema of a split's table."""

    roles: Roles
    frequency: Frequency
    context: int
    """Number of leading rows that belong to the split before."""
    spelling: str = ""
    """The spelling of times in the source."""
    writing: str = ""
    formats: Mapping[str, NumberFormat] = field(default_factory=dict)
    filled: tuple[tuple[int, int, int], ...] = ()
    """Channel, first row and end of each run of values that were filled in."""


def series_table(series: Series, roles: Roles, context: int) -> pa.Table:
    """Time and channels as columns of a table, with a :class:`SeriesNote` in its schema."""
    columns = {}
    if roles.time:
        kind = pa.timestamp("us") if series.frequency.dated else pa.int64()
        columns[roles.time] = pa.array(series.times).cast(kind)
    columns |= {name: pa.array(series.values[:, i]) for i, name in enumerate(roles.channels)}
    return described_series(pa.table(columns), series, roles, context, _runs(series.filled))


def described_series(
    table: pa.Table,
    series: Series | Panel,
    roles: Roles,
    context: int,
    filled: tuple[tuple[int, int, int], ...] = (),
) -> pa.Table:
    """Return a table with a :class:`SeriesNote` in its schema."""
    note = {
        "roles": asdict(roles),
        "frequency": asdict(series.frequency),
        "context": context,
        "spelling": series.spelling,
        "writing": series.writing,
        "formats": {name: written.model_dump() for name, written in series.formats.items()},
        "filled": filled,
    }
    return table.replace_schema_metadata({_KEY: json.dumps(note).encode()})


def series_note(table: pa.Table) -> SeriesNote:
    """Read the note that :func:`series_table` wrote."""
    note = json.loads(table.schema.metadata[_KEY])
    return SeriesNote(
        Roles.of(note["roles"]),
        Frequency(**note["frequency"]),
        note["context"],
        note["spelling"],
        note["writing"],
        {name: NumberFormat(**written) for name, written in note["formats"].items()},
        tuple(map(tuple, note["filled"])),
    )


def own_rows(table: pa.Table) -> int:
    """The number of a split's rows, without those of the split before that begin a series."""
    rows: int = table.num_rows
    return rows - series_note(table).context if is_series_table(table) else rows


def is_series_table(table: pa.Table) -> bool:
    """Whether :func:`series_table` wrote a table."""
    return _KEY in (table.schema.metadata or {})


def split_series(table: pa.Table) -> Series:
    """The series that :func:`series_table` wrote."""
    note = series_note(table)
    roles, rows = note.roles, table.num_rows
    times = table[roles.time].cast(pa.int64()).to_numpy() if roles.time else np.arange(rows)
    values = np.stack([table[name].to_numpy() for name in roles.channels], 1)
    filled = np.zeros(values.shape, np.bool_) if note.filled else None
    for channel, start, end in note.filled:
        if filled is not None:
            filled[start:end, channel] = True
    return Series(
        times, values, note.frequency, (), note.spelling, note.writing, note.formats, filled
    )


def _runs(filled: NDArray[np.bool_] | None) -> tuple[tuple[int, int, int], ...]:
    if filled is None:
        return ()
    runs = []
    for channel, marks in enumerate(filled.T):
        edges = np.flatnonzero(np.diff(marks.astype(np.int8), prepend=0, append=0)).tolist()
        pairs = zip(edges[::2], edges[1::2], strict=True)
        runs += [(channel, start, end) for start, end in pairs]
    return tuple(runs)


def same_step(parts: Mapping[str, Series]) -> Frequency:
    """The frequency that all splits share. Raises :class:`DataError` where they differ."""
    train = parts[TRAIN].frequency
    for name, part in parts.items():
        if len(part) > 1 and (part.frequency.unit, part.frequency.step) != (train.unit, train.step):
            raise DataError(
                f"The training rows have steps of {train.name}, those of {name} "
                f"{part.frequency.name}.",
                "Give all splits the same step.",
            )
    return train
