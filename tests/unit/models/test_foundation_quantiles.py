"""Pre-trained forecasters: the pasts they are given, and quantiles between those they know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.config.models.foundation import FoundationConfig
from engine.errors import TrainingError
from engine.models.series.foundation import FoundationForecaster, build_foundation
from engine.models.shapes import SeriesShape

KNOWN = (0.1, 0.2, 0.5, 0.8, 0.9)


def shape(targets: int = 1, **more: Any) -> SeriesShape:
    values: dict[str, Any] = {"channels": targets, "targets": targets, "window": 4, "horizon": 3}
    return SeriesShape(**values | more)


def forecaster(
    levels: tuple[float, ...] = KNOWN, of: SeriesShape | None = None, steps: int = 3
) -> tuple[FoundationForecaster, list[Tensor]]:
    """A network whose quantile of a level at step t is 100 t + 10 level + the series' last value.

    ``steps`` are those that it forecasts, of which there may be more than are wanted.
    """
    given: list[Tensor] = []

    def forecast(network: nn.Module, pasts: Tensor, horizon: int) -> Tensor:
        given.append(pasts)
        step = 100.0 * torch.arange(steps)[None, :, None]
        return step + 10 * torch.tensor(levels) + pasts[:, -1, None, None]

    return FoundationForecaster(nn.Linear(1, 1), forecast, levels, of or shape()), given


def quantiles(wanted: tuple[float, ...], levels: tuple[float, ...] = KNOWN) -> list[float]:
    """The forecast of the first step of a series that is 0."""
    network, _ = forecaster(levels, shape(levels=wanted))
    values: list[float] = network(torch.zeros(1, 4, 1), torch.zeros(1, 3, 0))[0, 0].tolist()
    return values


def test_known_levels_are_those_of_the_network() -> None:
    assert quantiles(KNOWN) == pytest.approx([1, 2, 5, 8, 9])


def test_a_level_between_two_is_interpolated() -> None:
    assert quantiles((0.15, 0.5, 0.65)) == pytest.approx([1.5, 5, 6.5])


def test_beyond_the_outermost_levels_there_is_nothing_to_interpolate() -> None:
    assert quantiles((0.01, 0.5, 0.99)) == pytest.approx([1, 5, 9])


def test_the_median_of_a_network_without_one_lies_between_its_neighbours() -> None:
    assert quantiles((0.5,), (0.25, 0.75)) == pytest.approx([5])


def test_a_level_that_is_written_another_way_is_the_same() -> None:
    """0.1 + 0.2 is a little more than 0.3."""
    assert quantiles((0.5, 0.1 + 0.2), (0.3, 0.5, 0.7)) == pytest.approx([5, 3])


@settings(deadline=None, max_examples=40)
@given(
    st.sets(st.integers(1, 99), min_size=2, max_size=9),
    st.sets(st.integers(1, 99), min_size=1, max_size=5),
)
def test_quantiles_are_those_of_numpy(known: set[int], wanted: set[int]) -> None:
    """np.interp keeps the outermost values too."""
    levels = tuple(level / 100 for level in sorted(known))
    asked = tuple(level / 100 for level in sorted(wanted))
    expected = np.interp(asked, levels, 10 * np.array(levels))
    assert quantiles(asked, levels) == pytest.approx(expected.tolist(), abs=1e-4)


def test_without_levels_the_median_is_forecast() -> None:
    network, _ = forecaster()
    assert network(torch.zeros(1, 4, 1), torch.zeros(1, 3, 0)).tolist() == [[[5], [105], [205]]]


def test_each_target_is_a_series_of_its_own() -> None:
    """``[batch, horizon, targets · levels]``, the levels of a target next to each other."""
    network, given = forecaster(of=shape(2, levels=(0.2, 0.5)))
    past = torch.arange(16.0).reshape(2, 4, 2)
    outputs = network(past, torch.zeros(2, 3, 0))
    [pasts] = given
    assert pasts.tolist() == [[0, 2, 4, 6], [1, 3, 5, 7], [8, 10, 12, 14], [9, 11, 13, 15]]
    assert outputs.shape == (2, 3, 4)
    assert outputs[0, 0].tolist() == [6 + 2, 6 + 5, 7 + 2, 7 + 5]
    assert outputs[1, 2].tolist() == [214 + 2, 214 + 5, 215 + 2, 215 + 5]


def test_a_longer_forecast_is_cut_to_the_horizon() -> None:
    network, _ = forecaster(steps=16)
    assert network(torch.zeros(1, 4, 1), torch.zeros(1, 3, 0)).shape == (1, 3, 1)


def test_the_truth_is_not_looked_at() -> None:
    network, given = forecaster()
    past, truth = torch.ones(1, 4, 1), torch.full((1, 3, 1), float("nan"))
    assert network(past, torch.zeros(1, 3, 0), truth).isfinite().all()
    assert len(given) == 1


def test_a_forecast_in_another_precision_has_that_of_the_past() -> None:
    network, _ = forecaster()
    past = torch.zeros(1, 4, 1, dtype=torch.bfloat16)
    assert network(past, torch.zeros(1, 3, 0)).dtype == torch.bfloat16


def test_levels_are_no_weights_of_the_network() -> None:
    network, _ = forecaster()
    assert set(network.state_dict()) == {"network.weight", "network.bias"}


@pytest.mark.parametrize(
    "other", [{"channels": 3, "targets": 2}, {"features": 2}, {"features": 1, "known": 1}]
)
def test_columns_beside_the_targets_are_refused_before_weights_are_read(
    other: dict[str, int],
) -> None:
    with pytest.raises(TrainingError, match=r"sees the past of the targets alone.*task\.targets"):
        build_foundation(FoundationConfig(path="org/none"), shape(**other))
