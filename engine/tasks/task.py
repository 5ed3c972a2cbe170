"""The interface of a task: the only place where domains differ.

Its data pipeline reads rows and fits on them; ``encode`` turns rows into tensors, and the rest says
what is learned from them: the network, the loss, the metrics, and predictions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

import pyarrow as pa
import torch
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.batches.source import Batch, Source
from engine.config.models.pretrained import WeightsConfig
from engine.config.run_config import RunConfig
from engine.config.tasks.base import TaskConfig
from engine.data.fitted import Fitted
from engine.data.raw import RawData
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.pipelines.create import create_pipeline
from engine.pipelines.pipeline import DataPipeline
from engine.reports.explanation import Explanation
from engine.reports.gallery import Gallery
from engine.reports.picture import Picture
from engine.runs.events import Report
from engine.tasks.own_pipeline import OwnPipeline
from engine.torch_private import with_versions

F = TypeVar("F", bound=Fitted)
WEIGHTS = "network.safetensors"


class Task(ABC, Generic[F]):
    """One way of learning, for one experiment."""

    pipeline: DataPipeline[F]
    section: TaskConfig
    """The task's own fields; each task says which kind."""
    measures_start: ClassVar[bool] = False
    """Whether :meth:`settle_start` has something to measure."""
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

    def adapted(self, network: nn.Module, table: pa.Table, fitted: F, report: Report) -> F:
        """Return ``fitted`` as rows to predict from change it, such as bands by recent errors."""
        del network, table, report
        return fitted

    def forgetting(self, fitted: F, device: torch.device, report: Report) -> Source | None:
        """A text of another kind, whose loss shows what the network forgets; raises ``DataError``.

        ``None`` where none is measured.
        """
        del fitted, device, report
        return None

    @abstractmethod
    def build_network(self, fitted: F) -> nn.Module:
        """The network, on torch's current default device."""

    def save_network(self, network: nn.Module, fitted: F, folder: Path) -> None:
        """Write the weights into ``folder``, as others read them too. Raises ``OSError``.

        A network whose weights are named by ``model.path`` is written in the format of its library.
        """
        del fitted
        if isinstance(self.config.model, WeightsConfig):
            saved: Any = network
            saved.save_pretrained(folder)
        else:
            save_model(network, str(folder / WEIGHTS))

    def save_companions(self, fitted: F, folder: Path) -> None:
        """Write what others need beside the weights, such as a tokenizer. Raises ``OSError``."""
        del fitted, folder

    def load_network(self, fitted: F, folder: Path) -> nn.Module:
        """The network with the weights that :meth:`save_network` wrote, on the default device."""
        network = self.build_network(fitted)
        if not isinstance(self.config.model, WeightsConfig):  # whose path is the folder by now
            load_model(_Versioned(network), str(folder / WEIGHTS))
        return network

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Mean loss over the batch's terms, a scalar with gradient."""

    def settle_start(
        self,
        network: nn.Module,
        sources: Mapping[str, Source],
        known: Mapping[str, Tensor],
        report: Report,
    ) -> dict[str, Tensor]:
        """Measure what the loss needs of the network as it is before the first update.

        ``known`` is what an earlier call returned for the same run, which is kept for a resume.
        """
        del network, sources, known, report
        return {}

    @abstractmethod
    def evaluator(self, fitted: F) -> Evaluator:
        """A fresh evaluator."""

    def calibration(self, fitted: F) -> Callable[[], Evaluator] | None:
        """Return a function that creates an evaluator, which fits on the validation split.

        Its evaluation of the finished network has the state with what was fitted; ``None`` where
        nothing is.
        """
        del fitted
        return None

    @abstractmethod
    def predict(self, network: nn.Module, batch: Batch, fitted: F) -> list[dict[str, Any]]:
        """Return the predictions for a batch, one JSON record a row."""

    def answers(
        self, network: nn.Module, records: list[dict[str, Any]], fitted: F
    ) -> list[dict[str, Any]]:
        """Return the predictions for rows that were typed, with what only a person looks at."""
        del network, fitted
        return records

    def pictures(self, table: pa.Table, records: list[dict[str, Any]], fitted: F) -> list[Picture]:
        """Return pictures of the first rows with their predictions; empty for rows of no image."""
        del table, records, fitted
        return []

    def explain(
        self, network: nn.Module, batch: Batch, fitted: F, target: str
    ) -> Explanation | None:
        """Return what the prediction for the only row of a batch rests on.

        ``target`` names an output; empty takes the likeliest. ``None`` where the task has no
        method for it. Raises :class:`~engine.errors.DataError` for an unknown target.
        """
        del network, batch, fitted, target
        return None

    def deployed(self, network: nn.Module) -> nn.Module:
        """Return the network as a program computes it: with what predictions do around it."""
        return network

    def call_arguments(self, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the positional and named arguments that call the network with a batch."""
        return (batch.inputs,), {}

    def comparable(self, outputs: list[Tensor]) -> list[Tensor]:
        """Return a network's outputs in an order that rounding does not change."""
        return outputs

    @property
    def packing(self) -> Literal["auto", "on", "off"]:
        """Whether batches of training are packed, which :meth:`loss` must understand."""
        return "off"

    def parameter_groups(self, network: nn.Module) -> list[dict[str, Any]] | None:
        """Parameters that learn at rates of their own; ``None`` when all learn alike.

        Each group has ``params`` and ``lr_scale``.
        """
        del network
        return None

    def baseline(self, raw: RawData, fitted: F) -> tuple[str, Evaluation] | None:
        """Name and test metrics of something simple on the same splits, to be held against."""
        del raw, fitted
        return None

    def further_baselines(self, raw: RawData, fitted: F) -> list[Baseline]:
        """Other methods of the field on the same rows, where they are installed."""
        del raw, fitted
        return []

    def samples(self, network: nn.Module, source: Source, fitted: F) -> list[dict[str, str]]:
        """A few inputs with what the network makes of them, for the monitor."""
        del network, source, fitted
        return []

    def sample_pictures(self, source: Source, fitted: F) -> list[Picture]:
        """Return the images that are the inputs of :meth:`samples`, in order and named as there."""
        del source, fitted
        return []

    def output_pictures(self, network: nn.Module, source: Source, fitted: F) -> list[Picture]:
        """Return pictures of the outputs of :meth:`samples`, in order and named as there."""
        del network, source, fitted
        return []

    def gallery(self, network: nn.Module, source: Source, fitted: F) -> Gallery | None:
        """Return pictures of single cases of a split, for the results; ``None`` for none."""
        del network, source, fitted
        return None


class _Versioned(nn.Module):
    """A network for ``load_model``, which reads the weights without their versions."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._plain = [network]

    @override
    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return self._plain[0].state_dict(*args, **kwargs)

    @override
    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        network = self._plain[0]
        return network.load_state_dict(with_versions(state_dict, network), *args, **kwargs)
