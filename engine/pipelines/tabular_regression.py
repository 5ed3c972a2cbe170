"""Data of regression on table rows: the range and scale of the target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from engine.config.tasks.tabular_regression import TabularRegressionConfig
from engine.data.on_disk import evenly
from engine.data.raw import RawData, decimal_mark_of
from engine.data.tables.clocks import clock_reading
from engine.data.tables.columns import set_number_format
from engine.data.tables.number_format import doubt_of_numbers, shortened
from engine.data.tables.other_marks import other_marks
from engine.data.tables.other_units import known_units, other_units
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import number_format_of, numbers, tidy
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.tables.fitted import TabularFitted
from engine.pipelines.tables.inputs import LEARNED_ROWS, fit_inputs
from engine.pipelines.tables.summary import table_summary
from engine.pipelines.tabular import TabularPipeline
from engine.pipelines.target_scale import target_scale
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.note import Note


class NumbersFitted(TabularFitted):
    """With the target's mean and deviation over the training rows."""

    mean: float
    std: float
    lowest: float
    highest: float
    number_format: NumberFormat | None = None
    """Format of the target in the training file; ``None`` where it is not known."""
    bands: list[float] = Field(default_factory=list)
    """For each of ``task.quantiles``, its distance to the prediction in local scales; empty where
    none were fitted."""
    scale_predictions: list[float] = Field(default_factory=list)
    """Predictions, standardised, at which the local scale is known; empty where it is 1."""
    scale_errors: list[float] = Field(default_factory=list)
    """The local scale there: mean absolute errors."""

    @override
    def without_network(self) -> Self:
        bands: dict[str, Any] = {"bands": [], "scale_predictions": [], "scale_errors": []}
        return super().without_network().model_copy(update=bands)


class TabularRegressionPipeline(TabularPipeline[NumbersFitted]):
    """Rows whose target is a finite number."""

    section: TabularRegressionConfig
    fitted_type = NumbersFitted
    target_kind = "numbers"
    _target_format: NumberFormat | None = None
    _target_units: tuple[str, ...] = ()

    def clean_target(self, table: pa.Table, target: str) -> pa.ChunkedArray:
        """Finite numbers. Raises ``DataError`` for a column of something else."""
        if self._target_format is None:  # the training rows come first
            setting = self.config.data.column_settings.get(target)
            self._target_format = set_number_format(target, setting) or number_format_of(
                table[target], decimal_mark_of(table)
            )
            self._target_units = known_units(table[target], self._target_format)
        values = numbers(table[target], self._target_format)
        given = tidy(table[target]).is_valid().to_numpy()
        wrong = given & np.isnan(values)
        if wrong.sum() > given.sum() / 2:
            example = table[target][int(wrong.argmax())].as_py()
            raise DataError(
                f"The target {plain(target, 60)!r} is not numeric: "
                f"{plain(example, 40)!r} in row {wrong.argmax() + 1:,}.",
                "Choose another task.target, or the task tabular_classification.",
            )
        return pa.chunked_array([pa.array(values, from_pandas=True)])

    @override
    def known_target(self, table: pa.Table, fitted: NumbersFitted) -> pa.ChunkedArray:
        if fitted.number_format is None:
            return self.clean_target(table, fitted.target)
        values = numbers(table[fitted.target], fitted.number_format)
        return pa.chunked_array([pa.array(values, from_pandas=True)])

    @override
    def target_notes(self, table: pa.Table, target: str) -> Iterator[Note]:
        """Yield notes on a target in another format than usual, or in one that is in doubt."""
        decimal = decimal_mark_of(table)
        chosen = set_number_format(target, self.config.data.column_settings.get(target))
        written = chosen or number_format_of(table[target], decimal)
        name, rows = plain(target, 60), table.num_rows - table[target].null_count
        if written != NumberFormat():
            why = f"numbers are written like {written.example}"
            if written.clock:
                why = clock_reading(table[target].type)
            yield Note(why, name, "numbers", rows, kind="converted")
        values = tidy(table[target])
        if chosen is not None or not pa.types.is_string(values.type):
            return
        good = values.filter(pa.array(np.isfinite(numbers(values, written))))
        different = good.unique().to_pylist()
        if short := shortened(different, written):
            yield Note(short, name, "numbers", rows, kind="converted")
        if why := doubt_of_numbers(different, written, decimal):
            example = '="numeric 1.234,5"' if "thousands" in why else ""
            yield Note(why, name, "numbers", rows, f"data.columns.{name}{example}")

    @override
    def later_target_notes(self, table: pa.Table, target: str, split: str) -> Iterator[Note]:
        """Yield doubts on a target whose marks or units may be others than in training."""
        if (written := self._target_format) is not None:
            yield from other_marks(table, target, written, split)
            yield from other_units(table[target], target, written, self._target_units, split)

    @override
    def centred_targets(
        self, table: pa.Table, fitted: NumbersFitted
    ) -> dict[str, NDArray[np.float64]]:
        return {fitted.target: (table[fitted.target].to_numpy() - fitted.mean) / fitted.std}

    def fit(self, raw: RawData) -> NumbersFitted:
        """Features of the training rows and the scale of the target."""
        target, columns, features = fit_inputs(raw, self.section, self.config.data)
        values = evenly(raw.train.select([target]), LEARNED_ROWS)[target].to_numpy()
        mean, std = target_scale(target, values)
        lowest, highest = (float(bound) for bound in pc.min_max(raw.train[target]).as_py().values())
        return NumbersFitted(
            target=target, columns=columns, features=features,
            mean=mean, std=std, lowest=lowest, highest=highest,
            number_format=self._target_format,
        )  # fmt: skip

    def summarize(self, raw: RawData, fitted: NumbersFitted) -> DataSummary:
        """Columns, range of the target and what was left out."""
        values = evenly(raw.train.select([fitted.target]), LEARNED_ROWS)[fitted.target]
        target = ColumnSummary(
            name=fitted.target,
            type="numeric",
            role="target",
            distinct=len(values.unique()),
            example=f"{values[0].as_py():g}",
        )
        facts = {
            "target": f"{fitted.lowest:.4g} to {fitted.highest:.4g}, "
            f"mean {fitted.mean:.4g}, deviation {fitted.std:.4g}"
        }
        return table_summary(self.config, raw, fitted, target, facts)
