"""Columns of a future file in the types of those of the past: files of two formats join."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from engine.data.series.channels import read_channels
from engine.data.series.frequency import Times
from engine.data.series.read import read_time_column
from engine.data.series.times import TimeColumn
from engine.data.tables.values import texts
from engine.errors import DataError
from engine.pipelines.series.fitted import SeriesFitted, frequency_of, roles_of

Pair = tuple[pa.Table, pa.Table]


def with_plain_types(table: pa.Table) -> pa.Table:
    """Return a table with columns of dictionaries decoded."""
    fields = (
        pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type)
        for f in table.schema
    )
    return table.cast(pa.schema(fields, table.schema.metadata))


@contextmanager
def of_future_file() -> Iterator[None]:
    """Say of an error in the data that it is one of the future file."""
    try:
        yield
    except DataError as error:
        raise DataError(f"In the future file: {error.message}", error.hint) from error


def times_of(table: pa.Table, fitted: SeriesFitted) -> Times:
    """The times of the rows, as the training rows were read."""
    return time_column_of(table, fitted).times


def time_column_of(table: pa.Table, fitted: SeriesFitted) -> TimeColumn:
    """The times of the rows, as the training rows were read, with notes on those that differ."""
    return read_time_column(table, roles_of(fitted), frequency_of(fitted), fitted.spelling)


def with_same_types(past: pa.Table, future: pa.Table, fitted: SeriesFitted) -> Pair:
    """Convert times, numbers and categories of both, where their types differ."""
    roles = roles_of(fitted)
    if roles.time in past.column_names:
        past, future = _alike(past, future, roles.time, lambda table, _: _moments(table, fitted))
    formats = fitted.number_formats

    def numbers(table: pa.Table, name: str) -> pa.Array:
        if table[name].null_count == table.num_rows:
            return pa.nulls(table.num_rows, pa.float64())
        return pa.array(read_channels(table, [name], formats)[:, 0])

    for name in roles.known:
        past, future = _alike(past, future, name, numbers)
    for name in roles.categories:
        past, future = _alike(past, future, name, lambda table, n: texts(table[n]))
    return past, future


def _alike(
    past: pa.Table,
    future: pa.Table,
    name: str,
    convert: Callable[[pa.Table, str], pa.Array | pa.ChunkedArray],
) -> Pair:
    if past[name].type == future[name].type:
        return past, future
    one = convert(past, name)
    with of_future_file():
        other = convert(future, name)
    return _with(past, name, one), _with(future, name, other)


def _with(table: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _moments(table: pa.Table, fitted: SeriesFitted) -> pa.Array:
    """Times as a type of dates, in UTC where they are shown in a zone, or as numbers."""
    times, frequency = pa.array(times_of(table, fitted)), frequency_of(fitted)
    if not frequency.dated:
        return times
    return times.cast(pa.timestamp("us", "UTC" if frequency.zone else None))
