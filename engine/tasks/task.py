"""The interface of a task: the only place where domains differ.

Its data pipeline reads rows and fits on them; ``encode`` turns rows into tensors, and the rest says
what is learned from them: the network, the loss, the metrics, and predictions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import pyarrow as pa
import torch
from torch import nn

from engine.baselines.baseline import Baseline
from engine.batches.source import Batch, Source
from engine.config.models.pretrained import WeightsConfig
from engine.config.run_config import RunConfig
from engine.config.tasks.base import TaskConfig
from engine.data.fitted import Fitted
from engine.data.raw import RawData
from engine.metrics.evaluator import Evaluator
from engine.pipelines.create import create_pipeline
from engine.pipelines.pipeline import DataPipeline
from engine.reports.explanation import Explanation
from engine.reports.gallery import Gallery
from engine.runs.events import Report
from engine.tasks.calibration import Calibration
from engine.tasks.deployment import Deployment
from engine.tasks.network_files import NetworkFiles
from engine.tasks.own_pipeline import OwnPipeline
from engine.tasks.presentation import Presentation
from engine.tasks.shown_samples import ShownSamples

F = TypeVar("F", bound=Fitted)


class Task(ABC, Generic[F]):
    """One way of learning, for one experiment."""

    pipeline: DataPipeline[F]
    section: TaskConfig
    """The task's own fields; each task says which kind."""
    predicted_rows: ClassVar[int] = 64
    """Batch size of predictions."""
    predicts_rows: ClassVar[bool] = True
    """Whether a prediction is one of a row, and not of what follows all rows."""
    compares_rows: ClassVar[bool] = False
    """Whether the loss compares the rows of a batch, so that it is not that of smaller batches."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.section = config.task
        self.pipeline = create_pipeline(config) if config.task.pipeline else OwnPipeline(self)

    @abstractmethod
    def encode(self, table: pa.Table, fitted: F, device: torch.device, report: Report) -> Source:
        """Rows as batches of tensors on ``device``. Rows without a target serve predictions."""

    def encode_new(
        self, table: pa.Table, fitted: F, device: torch.device, report: Report
    ) -> Source:
        """Rows to predict from. Differs from :meth:`encode` where rows are not independent."""
        return self.encode(table, fitted, device, report)

    @abstractmethod
    def build_network(self, fitted: F) -> nn.Module:
        """The network, on torch's current default device."""

    def files(self, fitted: F) -> NetworkFiles:
        """The files of the network, written and read.

        One whose weights are named by ``model.path`` is in the format of its library.
        """
        del fitted
        return NetworkFiles(isinstance(self.config.model, WeightsConfig))

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Mean loss over the batch's terms, a scalar with gradient."""

    @abstractmethod
    def evaluator(self, fitted: F) -> Evaluator:
        """A fresh evaluator."""

    def calibration(self, fitted: F) -> Calibration[F] | None:
        """Return what is fitted to the outputs of the finished network; ``None`` for nothing."""
        del fitted
        return None

    @abstractmethod
    def predict(self, network: nn.Module, batch: Batch, fitted: F) -> list[dict[str, Any]]:
        """Return the predictions for a batch, one JSON record a row."""

    def presentation(self, network: nn.Module, fitted: F) -> Presentation:
        """Return what a person is shown of predictions."""
        del network, fitted
        return Presentation()

    def explain(
        self, network: nn.Module, batch: Batch, fitted: F, target: str
    ) -> Explanation | None:
        """Return what the prediction for the only row of a batch rests on.

        ``target`` names an output; empty takes the likeliest. ``None`` where the task has no
        method for it. Raises :class:`~engine.errors.DataError` for an unknown target.
        """
        del network, batch, fitted, target
        return None

    def deployment(self) -> Deployment:
        """Return how a program without this package calls the network."""
        return Deployment()

    def baselines(self, raw: RawData, fitted: F) -> list[Baseline]:
        """Return what the network is compared with on the same splits, the simplest first."""
        del raw, fitted
        return []

    def samples(self, network: nn.Module, source: Source, fitted: F) -> ShownSamples:
        """Return a few inputs with what the network makes of them, for the monitor."""
        del network, source, fitted
        return ShownSamples()

    def gallery(self, network: nn.Module, source: Source, fitted: F) -> Gallery | None:
        """Return pictures of single cases of a split, for the results; ``None`` for none."""
        del network, source, fitted
        return None
