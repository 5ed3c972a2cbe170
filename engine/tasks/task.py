"""The interface of a task: the only place where domains differ.

Data goes through three steps, so that each can be done alone: ``load`` reads tables, ``fit`` learns
from the training rows what is needed to treat any row (names of classes, means, codes), and
``encode`` turns rows into tensors. What ``fit`` returns is plain data; saved beside the weights, it
is all that a prediction needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from engine.data.fitted import Fitted
from engine.metrics.evaluator import Evaluation, Evaluator
from engine.reports.data_summary import DataSummary
from engine.runs.events import Report

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import torch
    from torch import nn

    from engine.batches.source import Batch, Source
    from engine.config.run_config import RunConfig
    from engine.data.raw import RawData


F = TypeVar("F", bound=Fitted)
WEIGHTS = "network.safetensors"


class Task(ABC, Generic[F]):
    """One way of learning, for one experiment."""

    fitted_type: ClassVar[type[Fitted]]

    def __init__(self, config: RunConfig) -> None:
        self.config = config

    @abstractmethod
    def load(self) -> RawData:
        """Read the data and cut the splits that are missing; raises ``DataError``."""

    @abstractmethod
    def fit(self, raw: RawData) -> F:
        """Learn from the training rows how to treat any row; raises ``DataError``."""

    @abstractmethod
    def summarize(self, raw: RawData, fitted: F) -> DataSummary:
        """Summarise the data for the user."""

    @abstractmethod
    def encode(self, table: pa.Table, fitted: F, device: torch.device, report: Report) -> Source:
        """Rows as batches of tensors on ``device``. Rows without a target serve predictions."""

    @abstractmethod
    def inputs(self, fitted: F) -> tuple[str, ...]:
        """The columns that a row to predict from has."""

    def from_file(self, table: pa.Table, fitted: F, folder: Path) -> pa.Table:
        """Rows to predict from as they stood in a file in ``folder``, where paths in them begin."""
        del fitted, folder
        return table

    def encode_new(
        self, table: pa.Table, fitted: F, device: torch.device, report: Report
    ) -> Source:
        """Rows to predict from. Differs from :meth:`encode` where rows are not independent."""
        return self.encode(table, fitted, device, report)

    @abstractmethod
    def build_network(self, fitted: F) -> nn.Module:
        """The network, on torch's current default device."""

    def save_network(self, network: nn.Module, fitted: F, folder: Path) -> None:
        """Write the weights into ``folder``, as others read them too. Raises ``OSError``."""
        from safetensors.torch import save_model

        del fitted
        save_model(network, str(folder / WEIGHTS))

    def save_companions(self, fitted: F, folder: Path) -> None:
        """Write what others need beside the weights, such as a tokenizer. Raises ``OSError``."""
        del fitted, folder

    def load_network(self, fitted: F, folder: Path) -> nn.Module:
        """The network with the weights that :meth:`save_network` wrote, on the default device."""
        from safetensors.torch import load_model

        network = self.build_network(fitted)
        load_model(network, str(folder / WEIGHTS))
        return network

    @abstractmethod
    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Mean loss over the batch's terms, a scalar with gradient."""

    @abstractmethod
    def evaluator(self, fitted: F) -> Evaluator:
        """A fresh evaluator."""

    @abstractmethod
    def predict(self, network: nn.Module, batch: Batch, fitted: F) -> list[dict[str, Any]]:
        """Return the predictions for a batch, one JSON record a row."""

    def call_arguments(self, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the positional and named arguments that call the network with a batch."""
        return (batch.inputs,), {}

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

    def samples(self, network: nn.Module, source: Source, fitted: F) -> list[dict[str, str]]:
        """A few inputs with what the network makes of them, for the monitor."""
        del network, source, fitted
        return []
