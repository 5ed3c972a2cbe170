"""The columns of a table that become inputs, and their forms: by settings and training rows."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from engine.config.data.base import DataConfig
from engine.config.data.columns import ColumnSetting, ColumnType
from engine.config.tasks.tabular import TabularConfig
from engine.data.column_names import check_names, no_column
from engine.data.on_disk import evenly
from engine.data.raw import RawData
from engine.data.tables.columns import detect_columns
from engine.data.tables.features import fit_features
from engine.data.tables.schema import Column, Features
from engine.errors import DataError
from engine.files.sanitize import plain

LEARNED_ROWS = 1_000_000
"""Training rows, evenly spread, that types and scales of columns are fitted on at most."""
_TARGET_NAMES = ("target", "label", "class", "y")
_FIELDS: Mapping[str, ColumnType] = {
    "ignore": "ignored", "numeric": "numeric", "categorical": "categorical",
}  # fmt: skip
"""The types of columns that fields of the task name."""


def find_target(table: pa.Table, wanted: str) -> str:
    """The column to predict; raises :class:`DataError` when there is none of that name."""
    names: list[str] = table.column_names
    if not wanted:
        return next((n for n in names if n.lower() in _TARGET_NAMES), names[-1])
    if wanted not in names:
        raise DataError(no_column("task.target", wanted, names))
    return wanted


def check_settings(table: pa.Table, section: TabularConfig, data: DataConfig) -> None:
    """Raise ``DataError`` for settings of missing columns, or ones that contradict each other."""
    for field, type in _FIELDS.items():
        names = getattr(section, field)
        check_names(f"task.{field}", names, table.column_names)
        for name in names:
            setting = data.column_settings.get(name)
            if setting is not None and setting.type != type:
                raise DataError(
                    f"data.columns sets {plain(name, 60)!r} as {setting.type}, but it is in "
                    f"task.{field} too.",
                    "Take it out of one of them.",
                )


def fit_inputs(
    raw: RawData, section: TabularConfig, data: DataConfig
) -> tuple[str, list[Column], Features]:
    """Target, columns, and how they become inputs; raises ``DataError`` when none can."""
    target = find_target(raw.train, section.target)
    some = evenly(raw.train.drop_columns([target]), LEARNED_ROWS)
    apart = -(-raw.train.num_rows // LEARNED_ROWS)
    columns = detect_columns(some, _settings(section, data), apart)
    features = fit_features(some, columns, section.transform)
    if not features.columns:
        reasons = ", ".join(f"{plain(c.name, 40)} ({c.reason or c.type})" for c in columns[:5])
        raise DataError(
            f"No column is left to learn {plain(target, 60)!r} from: {reasons or 'only it'}.",
            "data.columns sets the types of columns that shall be used all the same.",
        )
    for split, table in raw.splits.items():
        _check_inputs(split, table, features)
    return target, columns, features


def _settings(section: TabularConfig, data: DataConfig) -> dict[str, ColumnSetting]:
    """Return the settings of columns, of the data and of the task.

    Groups are left out unless they are set: those of test are none that the network knows.
    """
    group = data.group
    chosen = {group: ColumnSetting("ignored")} if group else {}
    chosen |= {
        name: ColumnSetting(type)
        for field, type in _FIELDS.items()
        for name in getattr(section, field)
    }
    return chosen | data.column_settings


def _check_inputs(split: str, table: pa.Table, features: Features) -> None:
    """Raise :class:`DataError` for inputs that a split lacks."""
    present = set(table.column_names)
    missing = [c.name for c in features.columns if c.name not in present]
    if missing:
        known = ", ".join(plain(name, 40) for name in table.column_names[:12])
        raise DataError(
            f"{split} has no column {', '.join(plain(name, 40) for name in missing[:5])}, which "
            "the training rows have as input.",
            f"It has {known}. Add it there, or leave it out with "
            f"data.columns.{plain(missing[0], 40)}=ignored.",
        )
