"""Data of regression on table rows: the range and scale of the target."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from engine.config.tasks.tabular_regression import TabularRegressionConfig
from engine.data.on_disk import evenly
from engine.data.raw import RawData, decimal_mark_of
from engine.data.tables.columns import set_number_format
from engine.data.tables.schema import NumberFormat
from engine.data.tables.values import number_format_of, numbers, tidy
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.tabular import LEARNED_ROWS, TabularFitted, TabularPipeline
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.note import Note


class NumbersFitted(TabularFitted):
    """With the target's mean and deviation over the training rows."""

    mean: float
    std: float
    lowest: float
    highest: float


class TabularRegressionPipeline(TabularPipeline[NumbersFitted]):
    """Rows whose target is a finite number."""

    section: TabularRegressionConfig
    fitted_type = NumbersFitted
    _target_format: NumberFormat | None = None

    def clean_target(self, table: pa.Table, target: str) -> pa.ChunkedArray:
        """Finite numbers. Raises ``DataError`` for a column of something else."""
        if self._target_format is None:  # the training rows come first
            setting = self.config.data.column_settings.get(target)
            self._target_format = set_number_format(target, setting) or number_format_of(
                table[target], decimal_mark_of(table)
            )
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
    def target_notes(self, table: pa.Table, target: str) -> Iterator[Note]:
        """Yield a note where numbers of the target are written in another format than usual."""
        written = number_format_of(table[target], decimal_mark_of(table))
        if written != NumberFormat():
            why = f"numbers are written like {written.example}"
            rows = table.num_rows - table[target].null_count
            yield Note(why, plain(target, 60), "numbers", rows, kind="converted")

    def fit(self, raw: RawData) -> NumbersFitted:
        """Features of the training rows and the scale of the target."""
        target, columns, features = self.fit_inputs(raw)
        values = evenly(raw.train.select([target]), LEARNED_ROWS)[target].to_numpy()
        scale = float(np.abs(values).max()) or 1.0
        std = float((values / scale).std() * scale)
        if std == 0.0:
            raise DataError(
                f"The target {plain(target, 60)!r} is {values[0]:g} in all training rows.",
                "Choose another task.target.",
            )
        lowest, highest = (float(bound) for bound in pc.min_max(raw.train[target]).as_py().values())
        return NumbersFitted(
            target=target, columns=columns, features=features,
            mean=float((values / scale).mean() * scale), std=std,
            lowest=lowest, highest=highest,
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
        return self.summary(raw, fitted, target, facts)
