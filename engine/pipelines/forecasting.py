"""Data of forecasting: one regular series, its scale, step and season."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
from typing_extensions import override

from engine.config.run_config import RunConfig
from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.column_roles import ColumnRoles
from engine.data.dates.writing import write_moment
from engine.data.load import load_data, without_ignored
from engine.data.raw import TRAIN, RawData
from engine.data.row_choice import refuse_choice
from engine.data.series.channels import Values, number_formats
from engine.data.series.holiday_dates import check_holidays
from engine.data.series.indicators import category_notes
from engine.data.series.listed_series import VALUE
from engine.data.series.panel import Panel, Rows, number_series
from engine.data.series.panel_splits import (
    cut_panel,
    join_splits,
    length_notes,
    panel_table,
    split_panel,
    without_marks,
)
from engine.data.series.read import Series
from engine.data.series.read_panel import read_panel
from engine.data.series.roles import Roles, check_columns
from engine.data.series.series_rows import doubts_beside
from engine.data.series.splits import (
    cut_in_time,
    is_series_table,
    same_step,
    series_note,
    series_table,
    split_series,
)
from engine.data.series.static import find_static
from engine.data.series.time_ranges import with_beginnings
from engine.data.tables.other_marks import other_marks
from engine.data.tables.schema import Column
from engine.pipelines.pipeline import DataPipeline
from engine.pipelines.series.doubts import far_values, far_values_of_panel, sums_of_others
from engine.pipelines.series.fitted import SeriesFitted, frequency_of, roles_of
from engine.pipelines.series.known_future import (
    ahead_of_panel,
    ahead_of_series,
    join_future,
    past_rows,
)
from engine.pipelines.series.many_series import fit_panel
from engine.pipelines.series.notes import (
    repeat_notes,
    role_notes,
    targets_without_truth,
    time_notes,
    without_truth,
)
from engine.pipelines.series.one_series import check_lengths, fit_series
from engine.pipelines.series.reader import SeriesReader
from engine.pipelines.series.summary import summarize_series
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note


class ForecastingPipeline(DataPipeline[SeriesFitted]):
    """Tables as series of one step, without gaps."""

    section: ForecastingConfig
    fitted_type = SeriesFitted
    rows_alone = False

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._reader = SeriesReader(self.section, config.data)
        self.arranged = self._reader.arranged

    def load(self) -> RawData:
        """Read the data, make it a regular series, and cut it in the order of time."""
        section = self.section
        refuse_choice(self.config.data)
        raw = without_ignored(load_data(self.config.data, made=(VALUE,)), self.config.data)
        raw = self._reader.with_a_row_a_step(with_beginnings(raw))
        with doubts_beside(raw.notes):
            roles = self._reader.roles(raw.train)
            if roles.series:
                return self._load_panel(raw, roles)
            train = self._reader.training_series(raw.train, roles)
            parts = {TRAIN: train}
            notes = list(train.notes)
            for name, table in raw.splits.items():
                if name == TRAIN or not table.num_rows:
                    continue
                if _lacks_targets(table, roles):
                    notes.append(without_truth(name, table.num_rows))
                    continue
                parts[name] = self._reader.read(
                    table, roles, train.frequency, train.spelling, train.formats
                )
                notes += [replace(note, why=f"{name}: {note.why}") for note in parts[name].notes]
            check_holidays(section.holidays, same_step(parts))
            notes += [*far_values(train, roles), *time_notes(raw.train, roles, train)]
            notes += role_notes(raw.train, roles, section)
            notes += repeat_notes(raw.train, roles, self._reader.times(raw.train, roles))
            splits, context, cuts = cut_in_time(
                parts, self.config.data, section.split_rows, section.window
            )
            check_lengths(splits, section.window, section.horizon)
            for name, part in splits.items():
                own = np.arange(len(part)) >= context[name]
                notes += targets_without_truth(name, part, own, roles)
            tables = {
                name: series_table(part, roles, context[name]) for name, part in splits.items()
            }
            return raw.with_splits(tables, *notes, *cuts)

    @override
    def column_roles(self, raw: RawData) -> ColumnRoles:
        numbers = [field.name for field in raw.train.schema if pa.types.is_floating(field.type)]
        columns = tuple(Column(name=name, type="numeric") for name in numbers)
        return ColumnRoles(tuple(numbers), columns=columns, ordered=True)

    def _load_panel(self, raw: RawData, roles: Roles) -> RawData:
        """Read many series, and cut each in the order of its time."""
        section = self.section
        lacking = [n for n, t in raw.splits.items() if t.num_rows and _lacks_targets(t, roles)]
        table, part = join_splits({n: t for n, t in raw.splits.items() if n not in lacking})
        if roles.static and not section.static:  # those of the training rows may differ in others
            series = number_series(table, roles.series)
            roles = replace(roles, static=find_static(table, roles.static, *series))
        formats = self._reader.formats(raw.train, roles)
        panel = read_panel(
            table, roles, section.fill, None, self._reader.spelling(roles), formats, part
        )
        check_holidays(section.holidays, panel.frequency)
        window, horizon = section.window, section.horizon
        splits, contexts, cuts = cut_panel(
            panel, self.config.data, section.split_rows, window, horizon
        )
        notes = [
            *panel.notes,
            *far_values_of_panel(panel, roles),
            *sums_of_others(panel, roles),
            *(without_truth(name, raw.splits[name].num_rows) for name in lacking),
            *self._reader.format_notes(raw.train, formats),
            *role_notes(raw.train, roles, section),
            *cuts,
            *length_notes(splits, contexts, roles, window, horizon),
        ]
        for name, some in splits.items():
            own = some.steps >= np.repeat(contexts[name], some.lengths)
            notes += targets_without_truth(name, some, own, roles)
        tables = {name: panel_table(part, roles, contexts[name]) for name, part in splits.items()}
        return raw.with_splits(tables, *notes)

    def panel(self, table: pa.Table, fitted: SeriesFitted) -> tuple[Panel, Rows]:
        """Many series of a split or of a file, and the rows of context of each."""
        if is_series_table(table):
            return split_panel(table)
        roles = roles_of(fitted)
        check_columns(table, roles)
        formats = fitted.number_formats
        new = [name for name in roles.numeric if name not in formats]
        known = number_formats(table, new) | formats
        panel = read_panel(
            table, roles, self.section.fill, frequency_of(fitted), fitted.spelling, known
        )
        marks = (note for name in formats for note in other_marks(table, name, formats[name]))
        panel = replace(panel, notes=(*panel.notes, *marks))
        return panel, np.zeros(len(panel), np.int64)

    def series(self, table: pa.Table, fitted: SeriesFitted) -> Series:
        """A split, or a table as it stood in a file, as a series; raises ``DataError``."""
        if is_series_table(table):
            return split_series(table)
        roles, frequency = roles_of(fitted), frequency_of(fitted)
        return self._reader.read(table, roles, frequency, fitted.spelling, fitted.number_formats)

    def series_ahead(
        self, table: pa.Table, fitted: SeriesFitted
    ) -> tuple[Series, Values, Sequence[Note]]:
        """The past of a file, ``[horizon, columns]`` of what it knows ahead, and notes."""
        series = self.series(past_rows(table, fitted), fitted)
        known, notes = ahead_of_series(table, series, fitted, self.section.horizon)
        return series, known, (*series.notes, *notes)

    def panel_ahead(self, table: pa.Table, fitted: SeriesFitted) -> tuple[Panel, Values]:
        """The pasts of a file, and ``[series, horizon, columns]`` of what it knows ahead."""
        panel, _ = self.panel(past_rows(table, fitted), fitted)
        return ahead_of_panel(table, panel, fitted, self.section.horizon)

    def ahead(self, fitted: SeriesFitted) -> tuple[str, ...]:
        """The inputs whose future is given, and what tells series and times apart."""
        return roles_of(fitted).ahead

    def with_future(
        self, table: pa.Table, future: pa.Table, fitted: SeriesFitted
    ) -> tuple[pa.Table, Sequence[Note]]:
        """The past, followed by the rows of the future."""
        return join_future(table, future, fitted)

    @override
    def unfit(self, table: pa.Table, fitted: SeriesFitted) -> Iterator[Note]:
        static = {column.name: column.categories for column in fitted.static if column.categories}
        return category_notes(table, fitted.categories | static)

    def fit(self, raw: RawData) -> SeriesFitted:
        """Means, deviations and season of the training rows."""
        if series_note(raw.train).roles.series:
            return fit_panel(raw.train, self.section.season, self.config.data.set_as("categorical"))
        return fit_series(raw.train, self.section.season)

    def summarize(self, raw: RawData, fitted: SeriesFitted) -> DataSummary:
        """Summarise frequency, span, season and repairs."""
        return summarize_series(raw, fitted, self.section, self.config.data.label)

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


def _lacks_targets(table: pa.Table, roles: Roles) -> bool:
    """Whether all targets are empty, as they are where a contest keeps the truth back."""
    check_columns(table, roles)
    return all(table[name].null_count == table.num_rows for name in roles.targets)
