"""Bands around predicted numbers hold on later rows as often as they say, wide where it is hard."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.metrics.forecasts.number_bands import LocalScale, NumberBands, fit_number_bands

LEVELS = (0.05, 0.5, 0.95)


def drawn(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return predictions ``[rows, 1]`` and truths that stray more, and upwards, where they grow."""
    generator = torch.Generator().manual_seed(seed)
    point = torch.rand(rows, generator=generator) * 4
    noise = torch.empty(rows).exponential_(generator=generator) - 0.3
    return point[:, None], point + noise * (0.1 + point)


def inside(bands: NumberBands, outputs: Tensor, truth: Tensor) -> Tensor:
    quantiles = bands.quantiles(outputs)
    assert quantiles is not None
    return (truth >= quantiles[:, 0]) & (truth <= quantiles[:, 2])


@pytest.mark.parametrize("rows", [60, 1000])
def test_bands_hold_on_later_rows_as_often_as_they_say(rows: int) -> None:
    later = drawn(20_000, 0)
    held = [
        inside(fit_number_bands(LEVELS, *drawn(rows, seed)), *later).double().mean()
        for seed in range(1, 61)
    ]
    # The mean over all samples of n calibration rows is from 0.9 to 0.9 + 2 / (n + 1).
    assert 0.895 < float(torch.stack(held).mean()) < 0.94


def test_bands_are_wide_where_predictions_are_far_off() -> None:
    bands = fit_number_bands(LEVELS, *drawn(4000, 1))
    outputs, truth = drawn(20_000, 2)
    held = inside(bands, outputs, truth).double()
    thirds = outputs.squeeze(1).argsort().tensor_split(3)
    assert [float(held[third].mean()) for third in thirds] == pytest.approx([0.9] * 3, abs=0.04)
    low, _, high = bands.quantiles(torch.tensor([[0.5], [3.5]])).unbind(1)  # type: ignore[union-attr]
    # The noise is 0.6 and 3.6 times an exponential one, whose middle 90 % are 2.94 wide.
    assert (high - low).tolist() == pytest.approx([0.6 * 2.94, 3.6 * 2.94], rel=0.15)


def test_few_rows_have_bands_of_one_width_and_fewer_have_none() -> None:
    outputs, truth = drawn(50, 3)
    bands = fit_number_bands(LEVELS, outputs, truth)
    error = np.sort((truth - outputs.squeeze(1)).numpy())
    # Of 50 and one to come, the 49th has 95 % of the 51 at or below it.
    assert bands.factors == pytest.approx((min(error[1], 0), 0, error[48]))
    assert not bands.scale.predictions
    assert fit_number_bands(LEVELS, *drawn(18, 3)).factors == ()
    assert fit_number_bands((0.5,), outputs, truth).factors == ()


def test_quantiles_of_a_network_are_corrected_and_put_in_order() -> None:
    outputs, truth = drawn(3000, 4)
    # Half as wide as they should be, and the first two crossed.
    said = torch.cat([outputs, outputs * 0.9, outputs * 1.6], 1)
    bands = fit_number_bands(LEVELS, said, truth)
    assert torch.equal(bands.point(said), outputs.squeeze(1))
    assert inside(bands, said, truth).double().mean() == pytest.approx(0.9, abs=0.002)
    quantiles = bands.quantiles(said)
    assert quantiles is not None
    assert bool((quantiles.diff(dim=1) >= 0).all())
    assert torch.equal(quantiles[:, 1], bands.point(said))


def test_the_local_scale_is_the_mean_error_at_a_prediction() -> None:
    outputs, truth = drawn(40_000, 5)
    scale = fit_number_bands(LEVELS, outputs, truth).scale
    assert np.all(np.diff(scale.predictions) > 0)
    # The mean of |e - 0.3| over an exponential e is 2 exp(-0.3) - 0.7.
    expected = (2 * np.exp(-0.3) - 0.7) * np.array([0.1 + 1, 0.1 + 3])
    assert scale.at(torch.tensor([1.0, 3.0])).tolist() == pytest.approx(expected, rel=0.05)
    assert LocalScale().at(torch.zeros(2)).tolist() == [1, 1]
