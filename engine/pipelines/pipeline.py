"""The interface of a data pipeline: the part of a task that needs no network.

Data goes through two steps here: ``load`` reads tables, and ``fit`` learns from the training rows
what is needed to treat any row (names of classes, means, codes). What ``fit`` returns is plain
data; saved beside the weights, it is all that a prediction needs. The task encodes rows from there.

Pipelines of tables, series and images import no torch: a preview must not wait for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

import pyarrow as pa

from engine.config.run_config import RunConfig
from engine.config.tasks.base import TaskConfig
from engine.data.column_roles import ColumnRoles
from engine.data.fitted import Fitted
from engine.data.raw import RawData
from engine.data.series.channels import is_text
from engine.pipelines.summary_notes import with_usual_notes
from engine.reports.data_summary import DataSummary
from engine.reports.note import Note

F = TypeVar("F", bound=Fitted)


class DataPipeline(ABC, Generic[F]):
    """The data of one experiment, until it is encoded."""

    fitted_type: ClassVar[type[Fitted]]
    reads_texts: ClassVar[bool] = False
    """Whether rows of a later file are read as texts, whose spelling the fitted state knows."""
    rows_alone: ClassVar[bool] = True
    """Whether each row is measured by itself; steps of a series are not."""
    fills_columns: ClassVar[bool] = False
    """Whether values of columns that a row does not have are predicted as missing."""
    section: TaskConfig
    """The task's fields; each pipeline says which kind."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.section = config.task

    @abstractmethod
    def load(self) -> RawData:
        """Read the data and cut the splits that are missing; raises ``DataError``."""

    @abstractmethod
    def fit(self, raw: RawData) -> F:
        """Learn from the training rows how to treat any row; raises ``DataError``."""

    def learn(self, raw: RawData) -> F:
        """Return what :meth:`fit` learns, with the format by which later files are read."""
        return self.fit(raw).model_copy(update={"file_format": raw.file_format})

    def settled(self, fitted: F) -> list[str]:
        """Return ``field=value`` for fields of the configuration that the data decided."""
        del fitted
        return []

    @abstractmethod
    def summarize(self, raw: RawData, fitted: F) -> DataSummary:
        """Summarise the data for the user."""

    def summary(self, raw: RawData, fitted: F) -> DataSummary:
        """Return what :meth:`summarize` does, with the notes that follow from it."""
        summary = self.summarize(raw, fitted)
        return with_usual_notes(summary) if self.rows_alone else summary

    def shown(self, table: pa.Table) -> pa.Table:
        """Return rows that were loaded as the user is shown them."""
        return table

    def column_roles(self, raw: RawData) -> ColumnRoles:
        """Return what the columns are to the task, for a check of the data."""
        texts = [field.name for field in raw.train.schema if is_text(field.type)]
        return ColumnRoles(tuple(raw.train.column_names), texts=tuple(texts))

    @abstractmethod
    def inputs(self, fitted: F) -> tuple[str, ...]:
        """The columns that a row to predict from has."""

    def beside(self, fitted: F, names: Sequence[str]) -> tuple[str, ...]:
        """Return which columns of a file, besides the inputs, :meth:`from_file` makes use of."""
        del fitted, names
        return ()

    def from_file(self, table: pa.Table, fitted: F, folder: Path) -> pa.Table:
        """Rows to predict from as they stood in a file in ``folder``, where paths in them begin."""
        del fitted, folder
        return table

    def unfit(self, table: pa.Table, fitted: F) -> Iterable[Note]:
        """Return notes on values to predict from that what was trained gives no meaning."""
        del table, fitted
        return ()
