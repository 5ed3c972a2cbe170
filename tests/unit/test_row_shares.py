"""Rows of batches are shared among processes and split into micro-batches, none lost or twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from typing_extensions import override

from engine.batches.source import Batch, TensorSource
from engine.config.presets import find_preset, load_preset
from engine.hardware.device import Compute
from engine.training.checkpoints.state import Position, TrainingState
from engine.training.distributed.process_group import SingleProcess
from engine.training.distributed.row_shares import RowShares
from engine.training.memory.out_of_memory import in_pieces
from engine.training.micro_batches import EpochBatches
from engine.training.trainer_setup import Setup

CONFIG = load_preset(find_preset("wine-mlp"))
CPU = Compute(torch.device("cpu"), torch.float32, 1)
SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=4)


def plan_of(sizes: Sequence[int]) -> Sequence[Tensor]:
    """Batches of all rows, in another order than their numbers."""
    return torch.arange(sum(sizes)).flip(0).split(list(sizes))


def numbers(rows: Sequence[Tensor]) -> list[int]:
    return torch.cat(list(rows)).tolist() if rows else []


@given(SIZES, st.integers(1, 5), st.integers(1, 3), st.integers(1, 4), st.booleans())
@settings(max_examples=100, deadline=None)
def test_each_row_is_computed_once_by_all_processes_together(
    sizes: list[int], replicas: int, least: int, pieces: int, all_compute: bool
) -> None:
    plan = plan_of(sizes)
    processes = [RowShares(number, replicas, all_compute) for number in range(replicas)]
    for place, rows in enumerate(plan):
        shares = [process.of(plan, least)[place] for process in processes]
        counted = [
            share
            for process, share in zip(processes, shares, strict=True)
            if not process.idle(rows, least)
        ]
        micro = in_pieces([share for share in counted if len(share)], pieces, least)
        assert numbers(micro) == rows.tolist()
        assert min(map(len, micro)) >= min(least, len(rows))
        lengths = [len(share) for share in counted if len(share)]
        assert max(lengths) - min(lengths) <= 1


@given(SIZES, st.integers(2, 5), st.integers(1, 3))
@settings(max_examples=50, deadline=None)
def test_where_all_must_compute_each_process_has_rows(
    sizes: list[int], replicas: int, least: int
) -> None:
    plan = plan_of(sizes)
    for number in range(replicas):
        process = RowShares(number, replicas, all_compute=True)
        for rows, share in zip(plan, process.of(plan, least), strict=True):
            assert len(share) >= min(least, len(rows))


@pytest.mark.parametrize(
    ("replica", "rows", "idle"),
    [(0, [0, 1, 2], False), (1, [3, 4], False), (2, [0, 1], True)],
)
def test_five_rows_of_two_at_least_are_for_two_of_three_processes(
    replica: int, rows: list[int], idle: bool
) -> None:
    batch = torch.arange(5)
    sharded = RowShares(replica, 3, all_compute=True)
    assert sharded.of([batch], 2)[0].tolist() == rows
    assert sharded.idle(batch, 2) is idle
    alone = RowShares(replica, 3)
    assert alone.of([batch], 2)[0].tolist() == ([] if idle else rows)
    assert not alone.idle(batch, 2)


class Noisy(TensorSource):
    """Numbers of rows, with noise of the micro-batch beside them."""

    augments = True

    @override
    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        batch.targets = torch.rand(len(batch.inputs), generator=generator)
        return batch


class Process(SingleProcess):
    """One of some processes, which it does not need here."""

    def __init__(self, rows: RowShares) -> None:
        self.rows, self.rank, self.size = rows, rows.replica, rows.replicas


def taken(
    sizes: list[int], rows: RowShares, pieces: list[int], start: int = 0, least: int = 1
) -> Iterator[list[Batch]]:
    """The micro-batches of a process for each batch, of which ``pieces`` has their number."""
    network = nn.Linear(1, 1)
    position = Position(batch=start, pieces=pieces[start])
    state = TrainingState(network, torch.optim.SGD(network.parameters()), position=position)
    task: Any = SimpleNamespace(config=CONFIG)
    unused: Any = None
    setup = Setup(task, unused, state, CPU, unused, Process(rows))
    batches = EpochBatches(setup, Noisy(torch.arange(sum(sizes))), plan_of(sizes), least)
    for batch in range(start, len(sizes)):
        position.batch, position.pieces = batch, pieces[batch]
        yield batches.take(1)


GROWING = st.integers(1, 3).map(lambda first: [first, first, 2 * first, 2 * first, 4 * first])
FIVE = st.lists(st.integers(1, 12), min_size=5, max_size=5)


@given(FIVE, GROWING, st.integers(1, 3), st.integers(1, 2))
@settings(max_examples=40, deadline=None)
def test_an_epoch_has_each_row_once_when_memory_runs_out_within_it(
    sizes: list[int], pieces: list[int], replicas: int, least: int
) -> None:
    shares = [RowShares(number, replicas) for number in range(replicas)]
    epochs = [list(taken(sizes, rows, pieces, least=least)) for rows in shares]
    for place, rows in enumerate(plan_of(sizes)):
        micro = [batch for epoch in epochs for batch in epoch[place]]
        assert numbers([batch.inputs for batch in micro]) == rows.tolist()
        assert [batch.weight for batch in micro] == [len(batch.inputs) for batch in micro]
        assert all(len(batch.inputs) for batch in micro)  # a network may not take a batch of none
        assert max(len(epoch[place]) for epoch in epochs) <= pieces[place]


@given(FIVE, GROWING, st.integers(0, 1), st.integers(0, 4))
@settings(max_examples=40, deadline=None)
def test_a_resumed_epoch_has_the_rows_and_the_noise_of_an_uninterrupted_one(
    sizes: list[int], pieces: list[int], replica: int, start: int
) -> None:
    rows = RowShares(replica, 2)
    whole = list(taken(sizes, rows, pieces))[start:]
    resumed = list(taken(sizes, rows, pieces, start))
    for expected, found in zip(whole, resumed, strict=True):
        for one, other in zip(expected, found, strict=True):
            assert one.inputs.equal(other.inputs)
            assert one.targets.equal(other.targets)


def test_a_process_that_only_serves_the_others_has_no_weight_in_the_loss() -> None:
    weights = [
        [batch.weight for [batch] in taken([5, 2, 1], RowShares(replica, 3, True), [1, 1, 1])]
        for replica in range(3)
    ]
    assert weights == [[2, 1, 1], [2, 1, 0], [1, 0, 0]]


def test_each_process_has_noise_of_its_own() -> None:
    first, second = (next(taken([8], RowShares(replica, 2), [1])) for replica in range(2))
    assert not first[0].targets.equal(second[0].targets)
