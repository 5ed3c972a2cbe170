"""Tasks of version 0.1, which load and fit their data themselves. Goes with the next release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
from typing_extensions import override

from engine.data.fitted import Fitted
from engine.data.raw import RawData
from engine.pipelines.pipeline import DataPipeline
from engine.reports.data_summary import DataSummary


class OwnPipeline(DataPipeline[Any]):
    """The data pipeline that the methods of such a task are."""

    def __init__(self, task: Any) -> None:
        super().__init__(task.config)
        self._task = task
        self.fitted_type = task.fitted_type  # type: ignore[misc]  # of this task, not of all

    @override
    def load(self) -> RawData:
        data: RawData = self._task.load()
        return data

    @override
    def fit(self, raw: RawData) -> Fitted:
        fitted: Fitted = self._task.fit(raw)
        return fitted

    @override
    def summarize(self, raw: RawData, fitted: Fitted) -> DataSummary:
        summary: DataSummary = self._task.summarize(raw, fitted)
        return summary

    @override
    def inputs(self, fitted: Fitted) -> tuple[str, ...]:
        return tuple(self._task.inputs(fitted))

    @override
    def from_file(self, table: pa.Table, fitted: Fitted, folder: Path) -> pa.Table:
        read = getattr(self._task, "from_file", super().from_file)
        return read(table, fitted, folder)
