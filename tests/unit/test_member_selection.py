"""The members of an ensemble that are kept: as few as are not worse than all."""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor, nn

from engine.batches.source import Batch
from engine.data.fitted import Fitted
from engine.metrics.tables.member_selection import FEWEST_ROWS, MembersFit, select_members


def squared(values: Tensor, targets: Tensor) -> Tensor:
    return (values.squeeze(-1) - targets) ** 2


def ensemble(errors: list[float], rows: int = 1000) -> tuple[Tensor, Tensor]:
    """Values of members whose errors are independent, with these deviations."""
    generator = torch.Generator().manual_seed(1)
    targets = torch.randn(rows, generator=generator, dtype=torch.float64)
    noise = torch.randn(len(errors), rows, generator=generator, dtype=torch.float64)
    return (targets + torch.tensor(errors)[:, None] * noise)[..., None], targets


def test_members_that_spoil_the_mean_are_left_out() -> None:
    values, targets = ensemble([3.0, 0.1, 3.0, 0.1, 3.0, 3.0])
    found = select_members(values, targets, squared)
    assert found is not None
    assert set(found.members) <= {1, 3}
    assert found.loss < found.whole


def test_an_ensemble_that_is_better_than_each_part_is_kept_whole() -> None:
    values, targets = ensemble([1.0] * 32)
    assert select_members(values, targets, squared) is None


def test_few_rows_keep_all_members() -> None:
    values, targets = ensemble([3.0, 0.1, 3.0], rows=FEWEST_ROWS - 1)
    assert select_members(values, targets, squared) is None


def test_a_number_of_members_is_kept_on_any_number_of_rows() -> None:
    values, targets = ensemble([1.0, 0.5, 2.0, 0.5, 1.0], rows=40)
    found = select_members(values, targets, squared, 2)
    assert found is not None
    means = {pair: squared(values[list(pair)].mean(0), targets).mean().item()
             for pair in combinations(range(5), 2)}  # fmt: skip
    assert tuple(sorted(found.members)) == min(means, key=lambda pair: means[pair])
    assert found.loss == min(means.values())
    assert select_members(values, targets, squared, 5) is None


def test_values_that_are_not_finite_are_never_chosen() -> None:
    values, targets = ensemble([1.0, 1.0, 1.0])
    values[0, 3] = torch.nan
    found = select_members(values, targets, squared, 1)
    assert found is not None
    assert found.members != (0,)


def test_of_many_rows_evenly_spread_ones_are_kept() -> None:
    seen: list[Tensor] = []

    def fit(values: Tensor, targets: Tensor) -> Fitted:
        seen.extend([values, targets])
        return Fitted()

    def forward(network: nn.Module, batch: Batch) -> Tensor:
        return batch.targets.expand(2, -1)[..., None]

    evaluator = MembersFit(forward, fit)
    for part in torch.arange(40_001.0).split(1000):
        evaluator.update(nn.Identity(), Batch({}, part))
    evaluator.compute()
    values, targets = seen
    assert targets.tolist() == list(range(0, 40_001, 4))
    assert values.shape == (2, 10_001, 1)
    assert torch.equal(values[1, :, 0], targets.double())
