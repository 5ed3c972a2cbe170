"""Data of forecasting: one regular series, its scale, step and season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.dates.writing import write_moment
from engine.data.fitted import Fitted
from engine.data.load import load_data, without_ignored
from engine.data.raw import TRAIN, RawData
from engine.data.series.channels import format_notes, number_formats
from engine.data.series.frequency import Frequency
from engine.data.series.read import Series, read_series
from engine.data.series.roles import Roles, check_columns, find_roles, unused_columns
from engine.data.series.seasonality import find_season
from engine.data.series.splits import (
    cut_in_time,
    is_series_table,
    same_step,
    series_note,
    series_table,
    split_series,
)
from engine.data.series.times import unread_time_column
from engine.data.tables.columns import set_number_format
from engine.data.tables.other_marks import other_marks
from engine.data.tables.schema import NumberFormat
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.pipeline import DataPipeline
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.note import Note

_SAME = 0.02
"""Difference between steps that are the same, but were rounded."""


class SeriesFitted(Fitted):
    """Series properties fitted on the training rows."""

    time: str
    targets: list[str]
    inputs: list[str]
    mean: list[float]
    """Of each channel, targets first."""
    std: list[float]
    unit: str
    step: int
    regular: bool
    season: int
    naive_error: list[float]
    """For each target, the mean change over one season: what MASE divides by."""
    naive_squared: list[float] = Field(default_factory=list)
    """For each target, the mean squared change over one season: what RMSSE divides by."""
    bands: list[list[list[float]]] = Field(default_factory=list)
    """Factors of each step, target and quantile, fitted on the validation rows; else empty."""
    time_parts: tuple[str, ...] = ()
    """Columns that together have the time, such as year and month; else empty."""
    spelling: str = ""
    """The spelling of times in the training data, which later files are read by."""
    writing: str = ""
    """The form in which forecasts write times; empty for the usual one."""
    number_formats: dict[str, NumberFormat] = Field(default_factory=dict)
    """Formats of numbers in columns of texts, which later files are read by."""
    anchor: str = ""
    """The day of the month that times keep to."""
    zone: str = ""
    """The zone that times, which are in UTC, are shown in."""


class ForecastingPipeline(DataPipeline[SeriesFitted]):
    """Tables as series of one step, without gaps."""

    section: ForecastingConfig
    fitted_type = SeriesFitted

    def load(self) -> RawData:
        """Read the data, make it a regular series, and cut it in the order of time."""
        section = self.section
        raw = without_ignored(load_data(self.config.data), self.config.data)
        roles = find_roles(raw.train, section.time, section.targets, section.inputs)
        train = self._training_series(raw.train, roles)
        parts = {TRAIN: train}
        notes = list(train.notes)
        for name, table in raw.splits.items():
            if name == TRAIN or not table.num_rows:
                continue
            if _lacks_targets(table, roles):
                text = f"{name}: no row has a target, so it is not used"
                notes.append(Note(text, column=name, rows=table.num_rows, kind="lost"))
                continue
            parts[name] = self.read(table, roles, train.frequency, train.spelling, train.formats)
            notes += [replace(note, why=f"{name}: {note.why}") for note in parts[name].notes]
        same_step(parts)
        if not roles.time and (unread := unread_time_column(raw.train)):
            example = plain(raw.train[unread].drop_null()[0].as_py(), 40)
            notes.append(
                Note(
                    f"{plain(unread, 60)} holds no dates that can be read, such as {example!r}; "
                    "rows are taken in their order",
                    column=plain(unread, 60),
                    read_as="text",
                    change="task.time",
                )
            )
        if not roles.time and (counting := _counting(train, roles)):
            why = f"{counting} grows by the same step from row to row: is it the time?"
            notes.append(Note(why, counting, "input", change=f"task.time={counting}"))
        if unused := unused_columns(raw.train, roles):
            notes.append(
                Note("not used: " + ", ".join(unused), change="task.inputs", kind="dropped")
            )
        if not section.targets and len(roles.channels) > 1:
            target = plain(roles.targets[0], 60)
            why = f"{target} is forecast, as no target is named"
            notes.append(Note(why, target, "target", change="task.targets", kind="converted"))
        splits, context, cuts = cut_in_time(
            parts, self.config.data, section.split_rows, section.window
        )
        self._check_lengths(splits)
        tables = {name: series_table(part, roles, context[name]) for name, part in splits.items()}
        return raw.with_splits(tables, *notes, *cuts)

    def _training_series(self, table: pa.Table, roles: Roles) -> Series:
        """The series of the training rows, in the formats that are set, else those that fit."""
        settings = self.config.data.column_settings
        formats = number_formats(table, roles.channels)
        for name in roles.channels:
            if written := set_number_format(name, settings.get(name)):
                formats[name] = written
        time = settings.get(roles.time)
        spelling = time.format if time is not None and time.type == "date" else ""
        fill = self.section.fill
        series = read_series(
            table, roles, fill, spelling=spelling, known_only=True, formats=formats
        )
        doubtful = {name: made for name, made in formats.items() if name not in settings}
        return replace(series, notes=(*series.notes, *format_notes(table, doubtful)))

    def _check_lengths(self, splits: Mapping[str, Series]) -> None:
        window, horizon = self.section.window, self.section.horizon
        for name, series in splits.items():
            if 0 < len(series) < window + horizon:
                raise DataError(
                    f"The {name} rows are too few: {len(series):,}, where a window of {window:,} "
                    f"and a horizon of {horizon:,} need {window + horizon:,}.",
                    "Lower task.window or task.horizon, or give the split more rows.",
                )

    def read(
        self,
        table: pa.Table,
        roles: Roles,
        frequency: Frequency,
        spelling: str,
        formats: Mapping[str, NumberFormat],
    ) -> Series:
        """A table as a series of the step and spellings that are known; raises ``DataError``."""
        check_columns(table, roles)
        fill = self.section.fill
        new = [name for name in roles.channels if name not in formats]
        known = number_formats(table, new) | dict(formats)
        series = read_series(
            table, roles, fill, frequency, spelling, known_only=True, formats=known
        )
        marks = (note for name in formats for note in other_marks(table, name, formats[name]))
        return replace(series, notes=(*series.notes, *marks))

    def series(self, table: pa.Table, fitted: SeriesFitted) -> Series:
        """A split, or a table as it stood in a file, as a series; raises ``DataError``."""
        if is_series_table(table):
            return split_series(table)
        roles, frequency = roles_of(fitted), frequency_of(fitted)
        return self.read(table, roles, frequency, fitted.spelling, fitted.number_formats)

    def fit(self, raw: RawData) -> SeriesFitted:
        """Means, deviations and season of the training rows."""
        note, series = series_note(raw.train), split_series(raw.train)
        roles, frequency = note.roles, note.frequency
        count = len(roles.targets)
        targets = series.values[:, :count]
        mean, std = series.values.mean(0), series.values.std(0)
        constant = std <= 1e-12 * np.abs(mean)
        self._check_targets(roles.targets, constant[:count])
        season = self.section.season or find_season(targets[:, 0], frequency.seasons)
        return SeriesFitted(
            time=roles.time,
            targets=list(roles.targets),
            inputs=list(roles.inputs),
            mean=mean.tolist(),
            # A constant input has no information, and must not become infinite.
            std=np.where(constant, 1.0, std).tolist(),
            unit=frequency.unit,
            step=frequency.step,
            regular=frequency.regular,
            season=season,
            naive_error=_mean_change(series, count, season).tolist(),
            naive_squared=_mean_change(series, count, season, power=2).tolist(),
            time_parts=roles.parts,
            spelling=note.spelling,
            writing=note.writing,
            number_formats=dict(note.formats),
            anchor=frequency.anchor,
            zone=frequency.zone,
        )

    def _check_targets(self, names: Sequence[str], constant: Sequence[bool]) -> None:
        for name, same in zip(names, constant, strict=True):
            if same:
                raise DataError(
                    f"The target {plain(name, 60)!r} is the same in all training rows.",
                    "Set task.targets to a column that changes.",
                )

    def summarize(self, raw: RawData, fitted: SeriesFitted) -> DataSummary:
        """Summarise frequency, span, season and repairs."""
        rows = {
            name: table.num_rows - series_note(table).context for name, table in raw.splits.items()
        }
        return DataSummary(
            source=self.config.data.label,
            rows=rows,
            columns=self._columns(raw.train, fitted),
            facts=self._facts(raw, fitted),
            notes=raw.notes,
            skips=tuple(
                {"reason": skip.reason, "count": skip.count, "example": skip.example}
                for skip in raw.skips
            ),
        )

    def _facts(self, raw: RawData, fitted: SeriesFitted) -> dict[str, str]:
        section = self.section
        frequency = frequency_of(fitted)
        facts = {
            "frequency": frequency.name + ("" if frequency.regular else " (median; irregular)"),
            "season": f"{fitted.season:,} rows" if fitted.season > 1 else "none found",
            "windows": ", ".join(
                f"{name} {self._windows(table.num_rows):,}" for name, table in raw.splits.items()
            ),
            "window → horizon": f"{section.window:,} → {section.horizon:,} rows",
        }
        if fitted.time:
            times = [self._span(table, fitted) for table in raw.splits.values() if table.num_rows]
            facts["from"], facts["to"] = times[0][0], times[-1][1]
        return facts

    def _span(self, table: pa.Table, fitted: SeriesFitted) -> tuple[str, str]:
        column = table[fitted.time].cast("int64")
        text = frequency_of(fitted).text
        return text(column[0].as_py()), text(column[-1].as_py())

    def _windows(self, rows: int) -> int:
        section = self.section
        return max(0, (rows - section.window - section.horizon) // section.stride + 1)

    def _columns(self, table: pa.Table, fitted: SeriesFitted) -> tuple[Any, ...]:
        columns = []
        if fitted.time:
            dated = frequency_of(fitted).dated
            example = self._span(table, fitted)[0]
            kind = "date" if dated else "numeric"
            columns.append(ColumnSummary(fitted.time, kind, "time", example=example))
        for name in (*fitted.targets, *fitted.inputs):
            role = "target" if name in fitted.targets else "input"
            example = f"{table[name][0].as_py():.6g}"
            columns.append(ColumnSummary(name, "numeric", role, example=example))
        return tuple(columns)

    @override
    def shown(self, table: pa.Table) -> pa.Table:
        """Times as the data writes them; those of a series are kept in UTC."""
        if not is_series_table(table) or not (name := series_note(table).roles.time):
            return table
        note = series_note(table)

        def written(time: int) -> str:
            form = note.writing
            return str(write_moment(time, form)) if form else note.frequency.text(time)

        texts = pa.array(map(written, table[name].cast("int64").to_pylist()), pa.string())
        return table.set_column(table.column_names.index(name), name, texts)

    def inputs(self, fitted: SeriesFitted) -> tuple[str, ...]:
        """Time, targets and other inputs; rows are the past, in order."""
        return (*roles_of(fitted).time_columns, *fitted.targets, *fitted.inputs)


def roles_of(fitted: SeriesFitted) -> Roles:
    """The columns that the network was trained with."""
    channels = tuple(fitted.targets), tuple(fitted.inputs)
    return Roles(fitted.time, *channels, fitted.time_parts)


def frequency_of(fitted: SeriesFitted) -> Frequency:
    """The step of the training rows."""
    return Frequency.of(fitted.unit, fitted.step, fitted.regular, fitted.anchor, fitted.zone)


def written_time(fitted: SeriesFitted, time: int) -> str | int:
    """A time as the training data writes it, where its form is known."""
    return write_moment(time, fitted.writing) if fitted.writing else frequency_of(fitted).text(time)


def _counting(series: Series, roles: Roles) -> str:
    """Return the first input whose steps are all the same; empty where none is."""
    inputs = series.values[:, len(roles.targets) :].T
    for name, values in zip(roles.inputs, inputs, strict=True):
        steps = np.diff(values)
        if len(steps) > 1 and steps[0] and np.isclose(steps, steps[0], rtol=_SAME).all():
            return plain(name, 40)
    return ""


def _lacks_targets(table: pa.Table, roles: Roles) -> bool:
    """Whether all targets are empty, as they are where a contest keeps the truth back."""
    check_columns(table, roles)
    return all(table[name].null_count == table.num_rows for name in roles.targets)


def _mean_change(series: Series, targets: int, season: int, power: int = 1) -> NDArray[np.float64]:
    """The mean change of each target over one season, between values that were not filled in.

    A change counts by its size to the ``power``.
    """
    values = series.values[:, :targets]
    known = np.ones(values.shape) if series.filled is None else ~series.filled[:, :targets] * 1.0
    pairs = known[season:] * known[:-season]
    changes: NDArray[np.float64] = np.abs(values[season:] - values[:-season]) ** power * pairs
    mean: NDArray[np.float64] = changes.sum(0) / np.maximum(pairs.sum(0), 1)
    return mean
