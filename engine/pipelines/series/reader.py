"""Tables as series, by the settings of the task and of the columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from engine.config.data.base import DataConfig
from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.column_names import check_names
from engine.data.raw import RawData
from engine.data.series.channels import format_notes, number_formats
from engine.data.series.frequency import Frequency, Times
from engine.data.series.listed_series import VALUE
from engine.data.series.panel import number_series
from engine.data.series.read import Series, read_series, read_time_column
from engine.data.series.roles import Roles, check_columns, find_roles
from engine.data.series.series_rows import file_with_a_row_a_step, with_a_row_a_step
from engine.data.series.several import find_series, repeated_rows
from engine.data.series.static import find_static
from engine.data.series.time_ranges import file_with_beginnings
from engine.data.tables.columns import set_number_format
from engine.data.tables.other_marks import other_marks
from engine.data.tables.schema import NumberFormat
from engine.errors import DataError
from engine.reports.note import Note


class SeriesReader:
    """Finds what the columns are, and reads numbers and times in the formats that are set."""

    def __init__(self, section: ForecastingConfig, data: DataConfig) -> None:
        self._section = section
        self._data = data

    def with_a_row_a_step(self, raw: RawData) -> RawData:
        """The data with a row a step, unless the settings name columns that would become rows."""
        section = self._section
        named = (*section.targets, *section.inputs, *section.known_future, *section.static)
        made = with_a_row_a_step(raw, named, section.time)
        if VALUE in self._data.columns:
            check_names("data.columns", [VALUE], made.train.column_names)
        return made

    def arranged(self, table: pa.Table, names: Sequence[str]) -> pa.Table:
        """Rows to predict from, a row a step, each with one time."""
        return file_with_a_row_a_step(file_with_beginnings(table), names, self._section.time)

    def roles(self, table: pa.Table) -> Roles:
        """The columns' roles; those that tell series apart are found where times repeat."""
        section = self._section
        roles = self._named(table, section.series, section.static)
        if section.series and not roles.time:
            raise DataError("task.series needs a column with the time.", "Set task.time.")
        if not section.series and roles.time and table.num_rows:
            times = self.times(table, roles)
            once = np.flatnonzero(~repeated_rows(table, roles, times))
            if found := find_series(table, roles, times, once):
                roles = self._named(table, found, section.static)
        if roles.static and not roles.series:
            raise DataError("task.static needs columns that tell series apart.", "Set task.series.")
        if not roles.series or roles.static or not table.num_rows:
            return roles
        return self._named(table, roles.series, self._static(table, roles))

    def _named(self, table: pa.Table, series: Sequence[str], static: Sequence[str]) -> Roles:
        section, categorical = self._section, self._data.set_as("categorical")
        named = section.time, section.targets, section.inputs
        return find_roles(table, *named, series, section.known_future, static, categorical)

    def _static(self, table: pa.Table, roles: Roles) -> tuple[str, ...]:
        """Columns that are the same in all rows of each series and have no role that was set.

        A column is left to be forecast, even if no series of the data changes.
        """
        section = self._section
        found = {*roles.inputs, *roles.targets} - {*section.inputs, *section.targets}
        taken = {*roles.asked} - found | {*section.inputs}
        free = (name for name in table.column_names if name not in taken)
        static = find_static(table, free, *number_series(table, roles.series))
        if {*roles.targets, *roles.inputs} <= {*static}:
            static = tuple(name for name in static if name not in roles.targets)
        return static

    def times(self, table: pa.Table, roles: Roles) -> Times:
        """The times of the training rows, in the format that is set."""
        return read_time_column(table, roles, None, self.spelling(roles)).times

    def training_series(self, table: pa.Table, roles: Roles) -> Series:
        """The series of the training rows, in the formats that are set, else those that fit."""
        formats, spelling = self.formats(table, roles), self.spelling(roles)
        fill = self._section.fill
        series = read_series(
            table, roles, fill, spelling=spelling, known_only=True, formats=formats
        )
        return replace(series, notes=(*series.notes, *self.format_notes(table, formats)))

    def formats(self, table: pa.Table, roles: Roles) -> dict[str, NumberFormat]:
        """Formats of columns of numbers: those that are set, else those that fit the values."""
        formats = number_formats(table, roles.numeric)
        for name in roles.numeric:
            if written := set_number_format(name, self._data.column_settings.get(name)):
                formats[name] = written
        return formats

    def format_notes(self, table: pa.Table, formats: Mapping[str, NumberFormat]) -> list[Note]:
        """Notes on formats that were found and may be wrong."""
        settings = self._data.column_settings
        doubtful = {name: made for name, made in formats.items() if name not in settings}
        return list(format_notes(table, doubtful))

    def spelling(self, roles: Roles) -> str:
        """The format of dates that is set for the column of times; empty where none is."""
        time = self._data.column_settings.get(roles.time)
        return time.format if time is not None and time.type == "date" else ""

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
        fill = self._section.fill
        new = [name for name in roles.numeric if name not in formats]
        known = number_formats(table, new) | dict(formats)
        series = read_series(
            table, roles, fill, frequency, spelling, known_only=True, formats=known
        )
        marks = (note for name in formats for note in other_marks(table, name, formats[name]))
        return replace(series, notes=(*series.notes, *marks))
