"""Shared base of the pipelines of table tasks: columns, inputs, splits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from typing_extensions import override

from engine.config.models.tabm import TabmConfig
from engine.config.tasks.tabular import TabularConfig
from engine.data.column_roles import ColumnRoles, TargetKind
from engine.data.load import load_data
from engine.data.lost_splits import lost
from engine.data.on_disk import evenly, selected
from engine.data.raw import TRAIN, RawData, Skip
from engine.data.row_choice import chosen_rows
from engine.data.splits import cut_splits
from engine.data.tables.bins import fit_edges
from engine.data.tables.features import with_scores
from engine.data.tables.flat_objects import flat_table
from engine.data.tables.unfit import unfit_values
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.pipelines.pipeline import DataPipeline
from engine.pipelines.tables.fitted import TabularFitted
from engine.pipelines.tables.inputs import check_settings, find_target, fit_inputs
from engine.pipelines.tables.sizes import automatic_sizes
from engine.reports.note import Note

SCORED_ROWS = 100_000
"""Training rows, evenly spread, that scores of texts and ids are fitted on at most."""
BINNED_ROWS = 100_000
"""Training rows, evenly spread, that bins are cut on at most."""


F = TypeVar("F", bound=TabularFitted)


class TabularPipeline(DataPipeline[F]):
    """Rows with a target; the kinds of target are for subclasses."""

    section: TabularConfig
    reads_texts = True
    fills_columns = True
    target_kind: ClassVar[TargetKind]

    @override
    def learn(self, raw: RawData) -> F:
        """Return what :meth:`fit` learns, with the bins that the network asks for."""
        fitted = super().learn(raw)
        some = evenly(raw.train, SCORED_ROWS)
        features = with_scores(fitted.features, some, self.centred_targets(some, fitted))
        fitted = fitted.model_copy(update={"features": features})
        bins = self.config.model.bins if isinstance(self.config.model, TabmConfig) else 0
        edges = fit_edges(fitted.features, evenly(raw.train, BINNED_ROWS), bins)
        return fitted.model_copy(update={"rows": raw.train.num_rows, "edges": edges})

    @override
    def settled(self, fitted: F) -> list[str]:
        """The sizes of network and training that go by the rows and columns."""
        return list(automatic_sizes(self.config, fitted.rows, fitted.features))

    def inputs(self, fitted: F) -> tuple[str, ...]:
        """The columns that are used."""
        return tuple(column.name for column in fitted.features.columns)

    @override
    def unfit(self, table: pa.Table, fitted: F) -> Iterable[Note]:
        return unfit_values(fitted.features, table)

    @abstractmethod
    def centred_targets(self, table: pa.Table, fitted: F) -> Mapping[str, NDArray[np.float64]]:
        """Numbers of mean 0 about the targets of rows by name, for the scores of texts and ids."""

    @abstractmethod
    def clean_target(self, table: pa.Table, target: str) -> pa.ChunkedArray:
        """The target of each row, null where there is none that can be used."""

    def known_target(self, table: pa.Table, fitted: F) -> pa.ChunkedArray:
        """The target of each row of a later file, read as in training."""
        return self.clean_target(table, fitted.target)

    def target_notes(self, table: pa.Table, target: str) -> Iterator[Note]:
        """Yield notes on how the target of the training rows is read."""
        del table, target
        yield from ()

    def later_target_notes(self, table: pa.Table, target: str, split: str) -> Iterator[Note]:
        """Yield notes on the target of another split, which is read as in training."""
        del table, target, split
        yield from ()

    def read(self) -> RawData:
        """Read the data as it is."""
        return load_data(self.config.data, flat=True)

    def arranged(self, table: pa.Table, names: Sequence[str]) -> pa.Table:
        """Return a file to predict from with columns for the values of objects, as in training."""
        return table if set(names) <= set(table.column_names) else flat_table(table)

    def load(self) -> RawData:
        """Read the data, take rows without a target out, and cut the splits that are missing."""
        raw = chosen_rows(self.read(), self.config.data)
        target = find_target(raw.train, self.section.target)
        check_settings(raw.train, self.section, self.config.data)
        raw = self._with_clean_targets(raw, target)
        return cut_splits(raw, self.config.data, self.stratify_by(target))

    def stratify_by(self, target: str) -> str | None:
        """The column whose values keep their shares in every split."""
        del target
        return None

    def _with_clean_targets(self, raw: RawData, target: str) -> RawData:
        """Splits whose target is clean; rows and whole splits without one are reported."""
        splits, skips = {}, []
        notes = list(self.target_notes(raw.train, target))
        for split, table in sorted(raw.splits.items(), key=lambda item: item[0] != TRAIN):
            if target not in table.column_names:
                why = f"{split} has no column {plain(target, 60)} and is left out"
                notes.append(lost(split, why, table.num_rows))
                continue
            if split != TRAIN:
                notes.extend(self.later_target_notes(table, target, split))
            values = self.clean_target(table, target)
            place = table.column_names.index(target)
            clean = table.set_column(place, target, values)
            if values.null_count == len(values):
                if split == TRAIN:
                    raise DataError(f"The target {plain(target, 60)!r} has no value in any row.")
                why = f"{split} has no value of {plain(target, 60)} and is left out"
                notes.append(lost(split, why, table.num_rows))
                continue
            if values.null_count:
                valid = values.is_valid().to_numpy()
                first = valid.argmin() + 1
                example = f"row {first:,} of {split}"
                skips.append(Skip(f"no usable {plain(target, 60)}", values.null_count, example))
                clean = selected(clean, valid)
            splits[split] = clean
        return raw.with_splits(splits, *notes).with_skips(*skips)

    @override
    def column_roles(self, raw: RawData) -> ColumnRoles:
        target, columns, features = fit_inputs(raw, self.section, self.config.data)
        inputs = tuple(column.name for column in features.columns)
        return ColumnRoles(inputs, target, self.target_kind, columns=tuple(columns))
