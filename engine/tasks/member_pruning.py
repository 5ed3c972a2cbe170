"""Pruning of an ensemble of networks in one to the members that are worth keeping."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import Tensor, nn

from engine.batches.source import Batch
from engine.config.models.tabm import TabmConfig
from engine.metrics.tables.member_selection import Loss, MembersFit, Selection, select_members
from engine.models.tables.tabm import TabM
from engine.pipelines.tables.fitted import TabularFitted
from engine.tasks.pruning import Pruning
from engine.tasks.task import Task

F = TypeVar("F", bound=TabularFitted)


@dataclass(frozen=True)
class MemberLosses:
    """The measure of members: an ensemble's values are the mean of those of its members."""

    values: Callable[[Tensor, Tensor], Tensor]
    """Gives ``[members, batch, values]`` from outputs ``[members, batch, outputs]`` and targets."""
    loss: Loss


@runtime_checkable
class MeasuresMembers(Protocol):
    """A task that tells how good single members of an ensemble are."""

    @abstractmethod
    def member_losses(self, fitted: Any) -> MemberLosses:
        """Return how they are measured."""


def pruning_of(task: Task[Any], network: nn.Module, fitted: Any) -> Pruning[Any] | None:
    """Return how the finished network of a task becomes smaller; ``None`` where it does not."""
    model = task.config.model
    if not isinstance(model, TabmConfig) or not isinstance(task, MeasuresMembers):
        return None
    if not isinstance(network, TabM):
        return None
    return member_pruning(fitted, task.member_losses(fitted), model.kept)


def member_pruning(fitted: F, losses: MemberLosses, count: int | None) -> Pruning[F]:
    """Return the pruning to ``count`` members, or by default the fewest not worse than all."""
    found: list[Selection] = []

    def forward(network: nn.Module, batch: Batch) -> Tensor:
        assert isinstance(network, TabM)
        return losses.values(network.of_members(batch.inputs).float(), batch.targets)

    def fit(values: Tensor, targets: Tensor) -> F:
        selection = select_members(values, targets, losses.loss, count)
        if selection is None:
            return fitted
        found.append(selection)
        return fitted.model_copy(update={"members": list(selection.members)})

    def apply(network: nn.Module, chosen: F) -> str:
        if not chosen.members or not isinstance(network, TabM):
            return ""
        members = network.head.members
        network.keep(chosen.members)
        return _sentence(found[-1], members)

    return Pruning(lambda: MembersFit(forward, fit), apply)


def _sentence(selection: Selection, members: int) -> str:
    kept = len(selection.members)
    verb = "is" if kept == 1 else "are"
    return (
        f"{kept} of {members} members {verb} kept: loss {selection.loss:.4g} on the "
        f"validation rows, {selection.whole:.4g} with all."
    )
