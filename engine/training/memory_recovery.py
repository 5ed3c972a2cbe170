"""Recovery of a training that runs out of memory: smaller micro-batches from there on."""

from __future__ import annotations

import torch
from torch import nn

from engine.batches.source import Source, mixed
from engine.errors import TrainingError
from engine.hardware.memory import out_of_memory, release
from engine.torch_private import BatchNorm
from engine.training.memory.estimate import update_bytes
from engine.training.memory.out_of_memory import least_rows, nothing_fits, rows_compared, too_large
from engine.training.trainer_setup import Setup

_OWN_STATISTICS = (
    " Batch norms see one micro-batch at a time, so the losses differ a little from those of whole "
    "batches."
)


class MemoryRecovery:
    """Raises the number of micro-batches of each batch; the position keeps it."""

    def __init__(self, setup: Setup, train: Source) -> None:
        self._setup = setup
        self._train = train
        self.least_rows = least_rows(setup.state.network)
        """The fewest rows of a micro-batch."""

    @property
    def evaluation_pieces(self) -> int:
        """The number of micro-batches of each batch in an evaluation."""
        position = self._setup.state.position
        return max(position.pieces, position.evaluation_pieces)

    def check(self, error: RuntimeError) -> None:
        """Raise ``error`` unless smaller micro-batches may help."""
        if not out_of_memory(error):
            raise error
        if self._setup.group.sharded:
            raise too_large(self._setup.compute.device) from error

    def cut_training(self, longest: int) -> None:
        """Double the number of micro-batches of each batch, for an update that did not fit.

        ``longest`` is the number of rows of the largest batch.
        """
        setup, position = self._setup, self._setup.state.position
        setup.state.optimizer.zero_grad(set_to_none=True)
        # The random state of dropout depends on where memory ran out; reseed it.
        torch.manual_seed(mixed(setup.config.seed, position.step))
        release(setup.compute.device)
        size = -(-longest // setup.group.size)
        most = max(1, size // self.least_rows)
        if position.pieces >= most:
            raise self._nothing_fits()
        if setup.task.compares_rows:
            raise rows_compared(setup.compute.device, size)
        position.pieces = min(2 * position.pieces, most)
        setup.outlets.warn(
            f"Out of memory: from here on each batch of {size:,} is split into "
            f"{position.pieces:,} micro-batches, with gradient accumulation."
            f"{_OWN_STATISTICS if _has_batch_norms(setup.state.network) else ''}"
        )

    def cut_evaluation(self, size: int) -> None:
        """Halve the batches of evaluations, whose ``size`` did not fit; updates stay as they are.

        Else the statistics of batch norms, and a loss that compares rows, would change with them.
        """
        release(self._setup.compute.device)
        if size == 1:
            raise self._nothing_fits()
        self._setup.state.position.evaluation_pieces = 2 * self.evaluation_pieces
        self._setup.outlets.warn(f"Out of memory: evaluating with batches of {size // 2:,}.")

    def _nothing_fits(self) -> TrainingError:
        task, fitted, compute = self._setup.task, self._setup.fitted, self._setup.compute
        update = update_bytes(task, fitted, self._train, compute, self.least_rows)
        return nothing_fits(compute, self._setup.state.network, task.config, update)


def _has_batch_norms(network: nn.Module) -> bool:
    """Return whether batch norms go by the statistics of batches, as frozen ones do not."""
    return any(isinstance(part, BatchNorm) and part.training for part in network.modules())
