"""Shared base of tasks on tables: columns, inputs, network, baseline."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar

from engine.config.tasks.tabular import TabularConfig
from engine.data.fitted import Fitted
from engine.data.load import load_data
from engine.data.tables.schema import Column, Features
from engine.errors import DataError
from engine.files.sanitize import plain
from engine.metrics.evaluator import Evaluator
from engine.models.build import build_model
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.runs.events import Report
from engine.tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    import torch
    from numpy.typing import NDArray
    from torch import nn

    from engine.batches.source import Batch, Source
    from engine.data.raw import RawData
    from engine.metrics.importance import Places, Score

_TARGET_NAMES = ("target", "label", "class", "y")
_SHOWN_ROWS = 5
_SHOWN_INPUTS = 160
LEARNED_ROWS = 1_000_000
"""Training rows, evenly spread, that types and scales of columns are fitted on at most."""


class TabularFitted(Fitted):
    """Features fitted on the training rows."""

    target: str
    columns: list[Column]
    """All columns but the target, those that are left out too."""
    features: Features


F = TypeVar("F", bound=TabularFitted)


class TabularTask(Task[F]):
    """A network over rows; the kinds of target are for subclasses."""

    @property
    def section(self) -> TabularConfig:
        """The task's fields."""
        section = self.config.task
        assert isinstance(section, TabularConfig)
        return section

    def inputs(self, fitted: F) -> tuple[str, ...]:
        """The columns that are used."""
        return tuple(column.name for column in fitted.features.columns)

    @abstractmethod
    def clean_target(self, table: pa.Table, target: str) -> pa.ChunkedArray:
        """The target of each row, null where there is none that can be used."""

    @abstractmethod
    def encode_target(self, values: pa.ChunkedArray, fitted: F) -> NDArray[Any]:
        """Targets as the loss takes them; what was not in the training rows gets any value."""

    @abstractmethod
    def outputs(self, fitted: F) -> int:
        """Numbers that the network gives for a row."""

    @abstractmethod
    def target_evaluator(self, fitted: F) -> Evaluator:
        """The evaluator for this kind of target."""

    @abstractmethod
    def score(self, fitted: F) -> Score:
        """Return the score that measures a column's importance."""

    def load(self) -> RawData:
        """Read the data, take rows without a target out, and cut the splits that are missing."""
        from engine.data.splits import cut_splits

        raw = load_data(self.config.data)
        target = find_target(raw.train, self.section.target)
        self._check_names(raw.train)
        raw = self._with_clean_targets(raw, target)
        return cut_splits(raw, self.config.data, self.stratify_by(target))

    def stratify_by(self, target: str) -> str | None:
        """The column whose values keep their shares in every split."""
        del target
        return None

    def _check_names(self, table: pa.Table) -> None:
        for field in ("ignore", "numeric", "categorical"):
            for name in getattr(self.section, field):
                if name not in table.column_names:
                    raise DataError(no_column(f"task.{field}", name, table.column_names))

    def _with_clean_targets(self, raw: RawData, target: str) -> RawData:
        """Splits whose target is clean; rows and whole splits without one are reported."""
        from engine.data.on_disk import selected
        from engine.data.raw import TRAIN, Skip

        splits, skips, notes = {}, [], []
        for split, table in raw.splits.items():
            if target not in table.column_names:
                notes.append(f"{split} has no column {plain(target, 60)} and is left out")
                continue
            values = self.clean_target(table, target)
            place = table.column_names.index(target)
            clean = table.set_column(place, target, values)
            if values.null_count == len(values):
                if split == TRAIN:
                    raise DataError(f"The target {plain(target, 60)!r} has no value in any row.")
                notes.append(f"{split} has no value of {plain(target, 60)} and is left out")
                continue
            if values.null_count:
                valid = values.is_valid().to_numpy()
                first = valid.argmin() + 1
                example = f"row {first:,} of {split}"
                skips.append(Skip(f"no usable {plain(target, 60)}", values.null_count, example))
                clean = selected(clean, valid)
            splits[split] = clean
        return raw.with_splits(splits, *notes).with_skips(*skips)

    def fit_inputs(self, raw: RawData) -> tuple[str, list[Column], Features]:
        """Target, columns, and how they become inputs; raises ``DataError`` when none can."""
        from engine.data.on_disk import evenly
        from engine.data.tables.columns import detect_columns
        from engine.data.tables.features import fit_features

        section = self.section
        target = find_target(raw.train, section.target)
        some = evenly(raw.train.drop_columns([target]), LEARNED_ROWS)
        apart = -(-raw.train.num_rows // LEARNED_ROWS)
        columns = [
            column.model_copy(update={"reason": "by choice", "type": "ignored"})
            if column.name in section.ignore else column
            for column in detect_columns(some, section.numeric, section.categorical, apart)
        ]  # fmt: skip
        features = fit_features(some, columns, section.transform)
        if not features.columns:
            reasons = ", ".join(f"{plain(c.name, 40)} ({c.reason})" for c in columns[:5])
            raise DataError(
                f"No column is left to learn {plain(target, 60)!r} from: {reasons or 'only it'}.",
                "task.numeric and task.categorical name columns that shall be used all the same.",
            )
        return target, columns, features

    def encode(self, table: pa.Table, fitted: F, device: torch.device, report: Report) -> Source:
        """Rows as tensors that stay on ``device``, or on the disk where they are many."""
        import torch

        from engine.batches.memory_mapped import DEVICE_BYTES, MANY_BYTES, MappedSource, RowSource
        from engine.data.tables.features import encode_rows, encoded_bytes

        del report
        size = encoded_bytes(fitted.features, table.num_rows)
        apart = size > MANY_BYTES
        numbers, codes = encode_rows(fitted.features, table, apart)
        inputs: dict[str, NDArray[Any]] = {"numeric": numbers, "categorical": codes}
        targets = None
        if fitted.target in table.column_names:
            targets = self._targets(table, fitted, apart)
        if apart and (device.type == "cpu" or size > DEVICE_BYTES):
            return MappedSource(inputs, targets, device)
        placed = {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
        return RowSource(placed, None if targets is None else torch.from_numpy(targets).to(device))

    def _targets(self, table: pa.Table, fitted: F, apart: bool) -> NDArray[Any]:
        from engine.data.on_disk import filled, in_windows
        from engine.data.tables.features import ENCODED

        parts = (
            self.encode_target(self.clean_target(piece, fitted.target), fitted)
            for piece in in_windows(table.select([fitted.target]), ENCODED)
        )
        first = next(parts, None)
        if first is None:
            first = self.encode_target(self.clean_target(table, fitted.target), fitted)
        return filled((table.num_rows,), first.dtype.type, chain([first], parts), apart)

    def build_network(self, fitted: F) -> nn.Module:
        """The chosen model for these columns."""
        from engine.models.shapes import TabularShape

        features = fitted.features
        cardinalities = tuple(feature.cardinality for feature in features.categorical)
        shape = TabularShape(len(features.numeric), cardinalities, self.outputs(fitted))
        return build_model(self.config.model, shape)

    def evaluator(self, fitted: F) -> Evaluator:
        """Metrics and, at the end, the importance of columns."""
        from engine.metrics.importance import WithImportance

        inner = self.target_evaluator(fitted)
        return WithImportance(inner, column_places(fitted.features), self.score(fitted))

    def held_out(self, raw: RawData, fitted: F) -> tuple[Source, Source] | None:
        """Training rows and those to be measured on, on the CPU; ``None`` when there are none.

        Of many training rows, as many as something simple needs.
        """
        import torch

        from engine.baselines.gradient_boosting import MAX_ROWS
        from engine.data.on_disk import evenly
        from engine.data.raw import TEST, TRAIN, VALIDATION

        names = [name for name in (TEST, VALIDATION) if raw.splits.get(name)]
        if not names:
            return None
        cpu = torch.device("cpu")
        train, other = (
            self.encode(table, fitted, cpu, lambda event: None)
            for table in (evenly(raw.splits[TRAIN], MAX_ROWS), raw.splits[names[0]])
        )
        return train, other

    def summary(
        self,
        raw: RawData,
        fitted: F,
        target: ColumnSummary,
        facts: Mapping[str, str],
        classes: Mapping[str, int] | None = None,
    ) -> DataSummary:
        """Summarise the data for the user, with what the kind of target adds."""
        used = {column.name for column in fitted.features.columns}
        columns = [
            ColumnSummary(
                name=column.name,
                type=column.type if column.name in used or not column.usable else "ignored",
                role="input" if column.name in used
                else f"left out: {column.reason or 'always the same'}",
                missing=column.missing,
                distinct=column.distinct,
                example=column.example,
            )
            for column in fitted.columns
        ]  # fmt: skip
        return DataSummary(
            source=self.config.data.label,
            rows={split: table.num_rows for split, table in raw.splits.items()},
            columns=(*columns, target),
            classes=classes,
            facts=_input_facts(fitted.features) | dict(facts) | _looked_at(raw.train.num_rows),
            notes=raw.notes,
            skips=tuple(
                {"reason": skip.reason, "count": skip.count, "example": skip.example}
                for skip in raw.skips
            ),
        )

    def describe(self, batch: Batch, row: int, fitted: F) -> str:
        """A row's inputs in words."""
        from engine.data.tables.features import decode_row

        numbers = batch.inputs["numeric"][row].tolist()
        codes = batch.inputs["categorical"][row].tolist()
        values = decode_row(fitted.features, numbers, codes)
        text = ", ".join(f"{plain(name, 30)} {plain(value, 30)}" for name, value in values.items())
        return plain(text, _SHOWN_INPUTS)

    def samples(self, network: nn.Module, source: Source, fitted: F) -> list[dict[str, str]]:
        """The first few rows with what the network makes of them."""
        plan = source.plan(_SHOWN_ROWS)[:1]
        return [
            {"inputs": self.describe(batch, i, fitted)} | {
                name: f"{value:.4g}" if isinstance(value, float) else str(value)
                for name, value in record.items() if not isinstance(value, dict)
            }
            for batch in source.read(plan)
            for i, record in enumerate(self.predict(network, batch, fitted))
        ]  # fmt: skip


def find_target(table: pa.Table, wanted: str) -> str:
    """The column to predict; raises :class:`DataError` when there is none of that name."""
    names: list[str] = table.column_names
    if not wanted:
        return next((n for n in names if n.lower() in _TARGET_NAMES), names[-1])
    if wanted not in names:
        raise DataError(no_column("task.target", wanted, names))
    return wanted


def no_column(field: str, wanted: str, names: list[str]) -> str:
    """Return the message for a missing column, with the nearest name or all of them."""
    near = difflib.get_close_matches(wanted, names, 1)
    some = ", ".join(plain(name, 40) for name in names[:20])
    hint = f"did you mean {plain(near[0], 60)}?" if near else f"there is {some}."
    return f"{field}: the data has no column {plain(wanted, 60)!r}; {hint}"


def column_places(features: Features) -> dict[str, Places]:
    """Return each column's positions among the network's inputs."""
    places: dict[str, dict[str, list[int]]] = {}
    for kind, names in (
        ("numeric", [feature.column for feature in features.numeric]),
        ("categorical", [feature.column for feature in features.categorical]),
    ):
        for i, name in enumerate(names):
            places.setdefault(name, {}).setdefault(kind, []).append(i)
    return dict(places)


def _looked_at(rows: int) -> dict[str, str]:
    if rows <= LEARNED_ROWS:
        return {}
    apart = -(-rows // LEARNED_ROWS)
    return {"columns told from": f"{-(-rows // apart):,} training rows, evenly spread"}


def _input_facts(features: Features) -> dict[str, str]:
    numeric = {feature.column for feature in features.numeric}
    ranked = {feature.column for feature in features.numeric if feature.knots}
    facts = {"inputs": f"{len(numeric)} of numbers, {len(features.categorical)} of categories"}
    if ranked:
        facts["scaled by rank"] = ", ".join(plain(name, 40) for name in sorted(ranked)[:8])
    return facts
