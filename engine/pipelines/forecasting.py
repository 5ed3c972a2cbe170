"""Data of forecasting: one regular series, its scale, step and season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from typing_extensions import override

from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.column_roles import ColumnRoles
from engine.data.dates.writing import write_moment
from engine.data.load import load_data, without_ignored
from engine.data.raw import TRAIN, RawData
from engine.data.row_choice import refuse_choice
from engine.data.series.channels import format_notes, number_formats
from engine.data.series.frequency import Frequency
from engine.data.series.panel import Panel, Rows
from engine.data.series.panel_splits import (
    cut_panel,
    join_splits,
    length_notes,
    panel_table,
    split_panel,
    without_marks,
)
from engine.data.series.read import Series, read_series, read_time_column
from engine.data.series.read_panel import read_panel
from engine.data.series.roles import Roles, check_columns, find_roles, unused_columns
from engine.data.series.seasonality import find_season
from engine.data.series.several import find_series, repeated_rows
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
from engine.data.tables.schema import Column, NumberFormat
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.many_series import count_windows, fit_panel, series_facts
from engine.pipelines.pipeline import DataPipeline
from engine.pipelines.series_fitted import SeriesFitted, frequency_of, roles_of
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.note import Note

_SAME = 0.02
"""Difference between steps that are the same, but were rounded."""


class ForecastingPipeline(DataPipeline[SeriesFitted]):
    """Tables as series of one step, without gaps."""

    section: ForecastingConfig
    fitted_type = SeriesFitted

    def load(self) -> RawData:
        """Read the data, make it a regular series, and cut it in the order of time."""
        section = self.section
        refuse_choice(self.config.data)
        raw = without_ignored(load_data(self.config.data), self.config.data)
        roles = self._roles(raw.train)
        if roles.series:
            return self._load_panel(raw, roles)
        train = self._training_series(raw.train, roles)
        parts = {TRAIN: train}
        notes = list(train.notes)
        for name, table in raw.splits.items():
            if name == TRAIN or not table.num_rows:
                continue
            if _lacks_targets(table, roles):
                notes.append(_without_truth(name, table.num_rows))
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
        notes += self._role_notes(raw.train, roles)
        splits, context, cuts = cut_in_time(
            parts, self.config.data, section.split_rows, section.window
        )
        self._check_lengths(splits)
        tables = {name: series_table(part, roles, context[name]) for name, part in splits.items()}
        return raw.with_splits(tables, *notes, *cuts)

    @override
    def column_roles(self, raw: RawData) -> ColumnRoles:
        numbers = [field.name for field in raw.train.schema if pa.types.is_floating(field.type)]
        columns = tuple(Column(name=name, type="numeric") for name in numbers)
        return ColumnRoles(tuple(numbers), columns=columns, ordered=True)

    def _roles(self, table: pa.Table) -> Roles:
        """The columns' roles; those that tell series apart are found where times repeat."""
        section = self.section
        named = section.time, section.targets, section.inputs
        roles = find_roles(table, *named, section.series)
        if section.series and not roles.time:
            raise DataError("task.series needs a column with the time.", "Set task.time.")
        if section.series or not roles.time or not table.num_rows:
            return roles
        times = read_time_column(table, roles, None, self._spelling(roles)).times
        once = np.flatnonzero(~repeated_rows(table, roles, times))
        found = find_series(table, roles, times, once)
        return find_roles(table, *named, found) if found else roles

    def _role_notes(self, table: pa.Table, roles: Roles) -> list[Note]:
        notes: list[Note] = []
        if roles.series and not self.section.series:
            names = " and ".join(plain(name, 60) for name in roles.series)
            why = f"{names} tells several series apart: one network learns all of them"
            notes.append(Note(why, names, "series", change="task.series", kind="converted"))
        if unused := unused_columns(table, roles):
            why = "not used: " + ", ".join(unused)
            notes.append(Note(why, change="task.inputs", kind="dropped"))
        if not self.section.targets and len(roles.channels) > 1:
            target = plain(roles.targets[0], 60)
            why = f"{target} is forecast, as no target is named"
            notes.append(Note(why, target, "target", change="task.targets", kind="converted"))
        return notes

    def _load_panel(self, raw: RawData, roles: Roles) -> RawData:
        """Read many series, and cut each in the order of its time."""
        section = self.section
        lacking = [n for n, t in raw.splits.items() if t.num_rows and _lacks_targets(t, roles)]
        table, part = join_splits({n: t for n, t in raw.splits.items() if n not in lacking})
        formats = self._formats(raw.train, roles)
        panel = read_panel(table, roles, section.fill, None, self._spelling(roles), formats, part)
        window, horizon = section.window, section.horizon
        splits, contexts, cuts = cut_panel(
            panel, self.config.data, section.split_rows, window, horizon
        )
        notes = [
            *panel.notes,
            *(_without_truth(name, raw.splits[name].num_rows) for name in lacking),
            *self._format_notes(raw.train, formats),
            *self._role_notes(raw.train, roles),
            *cuts,
            *length_notes(splits, contexts, roles, window, horizon),
        ]
        tables = {name: panel_table(part, roles, contexts[name]) for name, part in splits.items()}
        return raw.with_splits(tables, *notes)

    def panel(self, table: pa.Table, fitted: SeriesFitted) -> tuple[Panel, Rows]:
        """Many series of a split or of a file, and the rows of context of each."""
        if is_series_table(table):
            return split_panel(table)
        roles = roles_of(fitted)
        check_columns(table, roles)
        formats = fitted.number_formats
        new = [name for name in roles.channels if name not in formats]
        known = number_formats(table, new) | formats
        panel = read_panel(
            table, roles, self.section.fill, frequency_of(fitted), fitted.spelling, known
        )
        marks = (note for name in formats for note in other_marks(table, name, formats[name]))
        panel = replace(panel, notes=(*panel.notes, *marks))
        return panel, np.zeros(len(panel), np.int64)

    def _training_series(self, table: pa.Table, roles: Roles) -> Series:
        """The series of the training rows, in the formats that are set, else those that fit."""
        formats, spelling = self._formats(table, roles), self._spelling(roles)
        fill = self.section.fill
        series = read_series(
            table, roles, fill, spelling=spelling, known_only=True, formats=formats
        )
        return replace(series, notes=(*series.notes, *self._format_notes(table, formats)))

    def _formats(self, table: pa.Table, roles: Roles) -> dict[str, NumberFormat]:
        formats = number_formats(table, roles.channels)
        for name in roles.channels:
            if written := set_number_format(name, self.config.data.column_settings.get(name)):
                formats[name] = written
        return formats

    def _format_notes(self, table: pa.Table, formats: Mapping[str, NumberFormat]) -> list[Note]:
        settings = self.config.data.column_settings
        doubtful = {name: made for name, made in formats.items() if name not in settings}
        return list(format_notes(table, doubtful))

    def _spelling(self, roles: Roles) -> str:
        time = self.config.data.column_settings.get(roles.time)
        return time.format if time is not None and time.type == "date" else ""

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
        if series_note(raw.train).roles.series:
            return fit_panel(raw.train, self.section.season)
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
            **series_facts(raw.train),
            "windows": ", ".join(
                f"{name} {self._windows(table):,}" for name, table in raw.splits.items()
            ),
            "window → horizon": f"{section.window:,} → {section.horizon:,} rows",
        }
        if fitted.time:
            times = [self._span(table, fitted) for table in raw.splits.values() if table.num_rows]
            facts["from"], facts["to"] = times[0][0], times[-1][1]
        return facts

    def _span(self, table: pa.Table, fitted: SeriesFitted) -> tuple[str, str]:
        ends = pc.min_max(table[fitted.time].cast("int64"))
        text = frequency_of(fitted).text
        return text(ends["min"].as_py()), text(ends["max"].as_py())

    def _windows(self, table: pa.Table) -> int:
        section = self.section
        if series_note(table).roles.series:
            return count_windows(table, section.window, section.horizon, section.stride)
        rows: int = table.num_rows
        return max(0, (rows - section.window - section.horizon) // section.stride + 1)

    def _columns(self, table: pa.Table, fitted: SeriesFitted) -> tuple[Any, ...]:
        columns = []
        if fitted.time:
            dated = frequency_of(fitted).dated
            example = self._span(table, fitted)[0]
            kind = "date" if dated else "numeric"
            columns.append(ColumnSummary(fitted.time, kind, "time", example=example))
        for name in fitted.series:
            example = plain(str(table[name][0].as_py()), 40)
            columns.append(ColumnSummary(name, "categorical", "series", example=example))
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
        note, table = series_note(table), without_marks(table)

        def written(time: int) -> str:
            form = note.writing
            return str(write_moment(time, form)) if form else note.frequency.text(time)

        texts = pa.array(map(written, table[name].cast("int64").to_pylist()), pa.string())
        return table.set_column(table.column_names.index(name), name, texts)

    def inputs(self, fitted: SeriesFitted) -> tuple[str, ...]:
        """Columns that tell series apart, time, targets, inputs; rows are the past, in order."""
        return roles_of(fitted).asked


def _counting(series: Series, roles: Roles) -> str:
    """Return the first input whose steps are all the same; empty where none is."""
    inputs = series.values[:, len(roles.targets) :].T
    for name, values in zip(roles.inputs, inputs, strict=True):
        steps = np.diff(values)
        if len(steps) > 1 and steps[0] and np.isclose(steps, steps[0], rtol=_SAME).all():
            return plain(name, 40)
    return ""


def _without_truth(split: str, rows: int) -> Note:
    return Note(f"{split}: no row has a target, so it is not used", split, rows=rows, kind="lost")


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
