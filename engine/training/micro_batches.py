"""The batches of one epoch, in micro-batches where memory or other processes require it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from engine.batches.prefetch import batches_of
from engine.batches.source import Batch, Noise, Source
from engine.training.memory.out_of_memory import in_pieces
from engine.training.trainer_setup import Setup


class EpochBatches:
    """This process's micro-batches of an epoch, from the position on.

    They are read anew when the position's number of micro-batches has changed.
    """

    def __init__(
        self, setup: Setup, source: Source, plan: Sequence[Tensor], least_rows: int
    ) -> None:
        self._setup = setup
        self._source = source
        self._plan = plan
        self._least_rows = least_rows
        self._position = setup.state.position
        self._noise = Noise(
            setup.config.seed, self._position.epoch, setup.compute.device, setup.group.rows.replica
        )
        self._begin()

    def take(self, count: int) -> list[Batch]:
        """Return the micro-batches of the next ``count`` batches."""
        position, group = self._position, self._setup.group
        if position.pieces != self._pieces:
            self._begin()
        if position.pieces == group.size == 1:
            return [next(self._micro_batches) for _ in range(count)]
        rows = self._plan[position.batch : position.batch + count]
        taken = [next(self._micro_batches) for _ in self._cut(rows)]
        for whole, part in zip(rows, taken, strict=False):
            if group.rows.idle(whole, self._least_rows):
                part.weight = 0.0
        return taken

    def _begin(self) -> None:
        self._pieces = self._position.pieces
        self._micro_batches = self._read()

    def _read(self) -> Iterator[Batch]:
        plan, start = self._plan, self._position.batch
        if not self._pieces == self._setup.group.size == 1:
            plan, start = self._cut(plan), len(self._cut(plan[:start]))
        return batches_of(self._source, plan, self._setup.compute.device, start, self._noise)

    def _cut(self, plan: Sequence[Tensor]) -> list[Tensor]:
        shares = self._setup.group.rows.of(plan, self._least_rows)
        pieces = in_pieces(shares, self._pieces, self._least_rows)
        return [rows for rows in pieces if len(rows)]
