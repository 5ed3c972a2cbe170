"""Load the data that a section names, with the types that it sets for columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import pyarrow as pa

from engine.config.data.base import DataConfig
from engine.config.registry import implementation, resolve
from engine.data.column_names import check_names
from engine.data.raw import RawData
from engine.data.row_choice import chosen_rows
from engine.data.split_column import by_split_column
from engine.data.tables.flat_objects import flat_objects
from engine.data.tables.values import texts
from engine.errors import DataError
from engine.files.sanitize import plain


def load_data(config: DataConfig, made: Collection[str] = (), flat: bool = False) -> RawData:
    """Read the data; rows are split by a column of splits.

    Columns that will be ``made`` of those of the data may be set too. If ``flat``, objects have a
    column for each of their values. Raises :class:`~engine.errors.DataError`.
    """
    raw = implementation(config, "load")(config)
    raw = flat_objects(raw) if flat else raw
    return by_split_column(_with_texts(raw, config, made), config)


def load_texts(config: DataConfig) -> RawData:
    """Read the data with texts as they are written, if the source can tell.

    ``0.50``, ``093`` and ``true`` are what a model is to learn, not the number or truth value that
    they stand for. Raises :class:`~engine.errors.DataError`.
    """
    if not config.text_implementation:
        return _narrowed(load_data(config), config)
    raw = _with_texts(resolve(config.text_implementation)(config), config)
    return _narrowed(by_split_column(raw, config), config)


def _narrowed(raw: RawData, config: DataConfig) -> RawData:
    return without_ignored(chosen_rows(raw, config), config)


def without_ignored(raw: RawData, config: DataConfig) -> RawData:
    """Return the data without the columns that are set to be ignored."""
    ignored = config.set_as("ignored")
    if not ignored:
        return raw
    splits = {
        name: table.drop_columns([column for column in table.column_names if column in ignored])
        for name, table in raw.splits.items()
    }
    return replace(raw, splits=splits)


def _with_texts(raw: RawData, config: DataConfig, made: Collection[str] = ()) -> RawData:
    """Return the data with the columns that are set to be text as texts; checks all that are set.

    Files are read so in the first place; other sources have types of their own.
    """
    if not config.columns:
        return raw
    named = [name for name in config.columns if name not in made]
    check_names("data.columns", named, raw.train.column_names)
    wanted = config.set_as("text")
    splits = {name: _as_texts(table, wanted) for name, table in raw.splits.items()}
    return replace(raw, splits=splits)


def _as_texts(table: pa.Table, columns: Iterable[str]) -> pa.Table:
    for name in columns:
        if name in table.column_names and not pa.types.is_string(table[name].type):
            if pa.types.is_nested(table[name].type):
                raise DataError(f"data.columns: {plain(name, 60)!r} holds lists or objects.")
            table = table.set_column(table.column_names.index(name), name, texts(table[name]))
    return table
