"""The order of the samples is a pure function of seed and epoch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.batches import source as batches
from engine.batches.source import Batch, Noise, TensorSource, epoch_plan, mixed, split_rows


class Noisy(TensorSource):
    augments = True

    def augment(self, batch: Batch, generator: torch.Generator) -> Batch:
        noise = torch.rand(batch.inputs.shape, generator=generator)
        return Batch(batch.inputs + noise, batch.targets, batch.weight)


def source(count: int = 23) -> TensorSource:
    return TensorSource(torch.arange(count).float()[:, None], torch.arange(count))


def flat(plan: list[Tensor]) -> list[int]:
    return torch.cat(plan).tolist()


def test_an_epoch_has_every_sample_once() -> None:
    assert sorted(flat(epoch_plan(source(), 4, 0, 0))) == list(range(23))


def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else() -> None:
    first = flat(epoch_plan(source(), 4, 1, 2))
    torch.manual_seed(99)
    torch.rand(10)
    assert flat(epoch_plan(source(), 4, 1, 2)) == first
    assert flat(epoch_plan(source(), 4, 1, 3)) != first
    assert flat(epoch_plan(source(), 4, 2, 2)) != first


def test_planning_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    epoch_plan(source(), 4, 0, 0)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [
        (9, 4, [4, 5]),
        (8, 4, [4, 4]),
        (10, 4, [4, 4, 2]),
        (1, 4, [1]),
        (3, 4, [3]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_a_single_sample_is_left_alone_only_where_all_are(
    count: int, size: int, sizes: list[int]
) -> None:
    assert [len(rows) for rows in split_rows(torch.arange(count), size)] == sizes


@pytest.mark.parametrize("resident", [1 << 28, 0])
def test_reading_from_the_middle_gives_what_a_whole_reading_gives_there(
    resident: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_RESIDENT_BYTES", resident)
    data = Noisy(torch.arange(23).float()[:, None], torch.arange(23))
    plan = epoch_plan(data, 4, 0, 0)
    noise = Noise(0, 0, torch.device("cpu"))
    whole = list(data.read(plan, 0, noise))
    rest = list(data.read(plan, 3, noise))
    assert len(whole) == len(plan)
    for before, after in zip(whole[3:], rest, strict=True):
        assert torch.equal(before.inputs, after.inputs)
        assert torch.equal(before.targets, after.targets)


def test_inputs_targets_and_weights_belong_together() -> None:
    plan = epoch_plan(source(), 4, 0, 0)
    for rows, batch in zip(plan, source().read(plan), strict=True):
        assert batch.inputs[:, 0].long().tolist() == batch.targets.tolist() == rows.tolist()
        assert batch.weight == len(rows)


def test_noise_differs_by_seed_epoch_and_position() -> None:
    cpu = torch.device("cpu")
    draws = {
        float(torch.rand(1, generator=Noise(seed, epoch, cpu).at(position)))
        for seed in range(3)
        for epoch in range(3)
        for position in range(3)
    }
    assert len(draws) == 27


def test_mixed_numbers_do_not_meet() -> None:
    made = {mixed(seed, epoch, position) for seed in range(20) for epoch in range(20)
            for position in range(20)}  # fmt: skip
    assert len(made) == 8000
    assert all(0 <= number < 1 << 63 for number in made)
