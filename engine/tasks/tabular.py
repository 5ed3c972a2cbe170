"""Shared base of tasks on tables: columns, inputs, network, baseline."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, ClassVar, TypeVar

import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import nn
from typing_extensions import override

from engine.baselines.gradient_boosting import MAX_ROWS
from engine.batches.memory_mapped import DEVICE_BYTES, MANY_BYTES, MappedSource, RowSource
from engine.batches.source import Batch, Source
from engine.config.tasks.tabular import TabularConfig
from engine.data.on_disk import evenly, filled, in_windows
from engine.data.raw import RawData
from engine.data.tables.features import (
    ENCODED,
    encode_rows,
    encoded_bytes,
)
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.metrics.tables.importance import Score, WithImportance
from engine.models.build import build_model
from engine.models.shapes import TabularShape
from engine.models.tables.tabm import TabM
from engine.pipelines.tables.fitted import TabularFitted
from engine.pipelines.tabular import TabularPipeline
from engine.reports.explanation import Explanation
from engine.reports.gallery import Gallery
from engine.runs.events import Report
from engine.tasks.boosting import Boosting
from engine.tasks.column_places import column_places
from engine.tasks.explanations.row import ExplainedOutputs, explain_row
from engine.tasks.galleries.rows import rows_gallery
from engine.tasks.row_text import row_text
from engine.tasks.shown_samples import ShownSamples
from engine.tasks.task import Task

_SHOWN_ROWS = 5
F = TypeVar("F", bound=TabularFitted)


class TabularTask(Task[F]):
    """A network over rows; the kinds of target are for subclasses."""

    pipeline: TabularPipeline[F]
    section: TabularConfig
    predicted_rows = 1024
    probabilities: ClassVar[bool] = False
    """Whether the outputs are logits of classes."""
    sample_of: Callable[[Mapping[str, Any], float, F], dict[str, str]]
    """Returns the prediction for a row and what is true, from its record and encoded target."""
    _measured: Evaluator | None = None
    """The newest evaluator."""

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

    @abstractmethod
    def predicted_columns(self, outputs: torch.Tensor, fitted: F) -> Mapping[str, pa.Array]:
        """Return the predictions of the outputs ``[rows, outputs]`` as columns."""

    @abstractmethod
    def boosting(self, fitted: F) -> Boosting[F]:
        """Return gradient boosting on the same columns and target."""

    @abstractmethod
    def pooled(self, predicted: pa.Table, truth: pa.ChunkedArray) -> Evaluation:
        """Evaluate predictions of several models together, by their columns; with intervals."""

    @abstractmethod
    def explained(self, fitted: F) -> ExplainedOutputs:
        """Return the outputs that columns change."""

    @override
    def explain(self, network: nn.Module, batch: Batch, fitted: F, target: str) -> Explanation:
        return explain_row(network, batch.inputs, self.explained(fitted), fitted.features, target)

    def encode(self, table: pa.Table, fitted: F, device: torch.device, report: Report) -> Source:
        """Rows as tensors that stay on ``device``, or on the disk where they are many."""
        del report
        size = encoded_bytes(fitted.features, table.num_rows)
        apart = size > MANY_BYTES
        numbers, codes = encode_rows(fitted.features, table, apart)
        inputs: dict[str, NDArray[Any]] = {"numeric": numbers, "categorical": codes}
        targets = None
        if fitted.target in table.column_names:
            targets = _targets(self, table, fitted, apart)
        mapped = apart and (device.type == "cpu" or size > DEVICE_BYTES)
        placed = (MappedSource if mapped else _held)(inputs, targets, device)
        placed.rows = table
        return placed

    def build_network(self, fitted: F) -> nn.Module:
        """The chosen model for these columns."""
        features = fitted.features
        cardinalities = tuple(feature.cardinality for feature in features.categorical)
        shape = TabularShape(
            len(features.numeric), cardinalities, self.outputs(fitted), self.probabilities,
            tuple(map(tuple, fitted.edges)),
        )  # fmt: skip
        network = build_model(self.config.model, shape)
        if fitted.members and isinstance(network, TabM):
            network.keep(fitted.members)
        return network

    def evaluator(self, fitted: F) -> Evaluator:
        """Metrics and, at the end, the importance of columns."""
        self._measured = self.target_evaluator(fitted)
        return WithImportance(self._measured, column_places(fitted.features), self.score(fitted))

    @override
    def gallery(self, network: nn.Module, source: Source, fitted: F) -> Gallery | None:
        """The worst rows of the last evaluation with views, which was on ``source``."""
        del network
        worst = getattr(self._measured, "worst", None)
        return rows_gallery(worst, source.rows, self.pipeline.inputs(fitted))

    def held_out(self, raw: RawData, fitted: F) -> tuple[Source, Source] | None:
        """Training rows and those to be measured on, on the CPU; ``None`` when there are none.

        Of many training rows, as many as something simple needs.
        """
        decisive = raw.decisive
        if decisive is None:
            return None
        cpu = torch.device("cpu")
        train, other = (
            self.encode(table, fitted, cpu, lambda event: None)
            for table in (evenly(raw.train, MAX_ROWS), decisive)
        )
        return train, other

    @override
    def samples(self, network: nn.Module, source: Source, fitted: F) -> ShownSamples:
        """The first few rows, what the network makes of them, and what is true."""
        plan = source.plan(_SHOWN_ROWS)[:1]
        return ShownSamples([
            {"inputs": row_text(fitted.features, batch, i)} | self.sample_of(record, target, fitted)
            for batch in source.read(plan)
            for i, (record, target) in enumerate(
                zip(self.predict(network, batch, fitted), batch.targets.tolist(), strict=True)
            )
        ])  # fmt: skip


def _targets(task: TabularTask[F], table: pa.Table, fitted: F, apart: bool) -> NDArray[Any]:
    """Return the encoded targets of all rows."""
    parts = (
        task.encode_target(task.pipeline.known_target(piece, fitted), fitted)
        for piece in in_windows(table.select([fitted.target]), ENCODED)
    )
    first = next(parts, None)
    if first is None:
        first = task.encode_target(task.pipeline.known_target(table, fitted), fitted)
    return filled((table.num_rows,), first.dtype.type, chain([first], parts), apart)


def _held(
    inputs: dict[str, NDArray[Any]], targets: NDArray[Any] | None, device: torch.device
) -> RowSource:
    """Return a source of rows that are few enough to be held on the device."""
    placed = {name: torch.from_numpy(array).to(device) for name, array in inputs.items()}
    return RowSource(placed, None if targets is None else torch.from_numpy(targets).to(device))


def each_output(targets: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
    """Return a target for each output: the members of an ensemble are trained on the same ones."""
    members = len(outputs) // max(1, len(targets))
    return targets if members <= 1 else targets.repeat(members)
