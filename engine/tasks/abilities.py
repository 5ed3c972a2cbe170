"""Further abilities of some tasks, where their data or their loss ask for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from engine.batches.source import Source
from engine.runs.events import Report


@runtime_checkable
class MeasuresForgetting(Protocol):
    """A task whose networks knew something before that training may cost them."""

    def forgetting(self, fitted: Any, device: torch.device, report: Report) -> Source | None:
        """Return a text of another kind, whose loss shows what the network forgets.

        ``None`` where none is measured. Raises ``DataError``.
        """


@runtime_checkable
class ExplainsColumns(Protocol):
    """A task that explains predictions from texts by their words."""

    def explained_columns(self, fitted: Any) -> Sequence[str]:
        """Return the columns whose words are explained; none where predictions are not."""


@runtime_checkable
class MeasuresStart(Protocol):
    """A task whose loss needs values of the network as it is before the first update."""

    def settle_start(
        self,
        network: nn.Module,
        sources: Mapping[str, Source],
        known: Mapping[str, Tensor],
        report: Report,
    ) -> dict[str, Tensor]:
        """Measure these values.

        ``known`` is what an earlier call returned for the same run, which is kept for a resume.
        """
