"""Networks that forecast series: each against its formula in numpy, and what all of them keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.config.models.dlinear import DLinearConfig
from engine.config.models.nhits import NHitsConfig
from engine.config.models.registry import MODELS
from engine.models.build import build_model
from engine.models.series.dlinear import by_step
from engine.models.series.nhits import NHits
from engine.models.series.nhits import build as build_nhits
from engine.models.series.quantiles import Quantiles
from engine.models.series.window_norm import Normalized, with_window_norm
from engine.models.shapes import SeriesShape

SMALL: dict[str, dict[str, Any]] = {
    "dlinear": {"kernel_size": 3},
    "nhits": {"hidden_size": 6, "layers": 1},
    "tsmixer": {"hidden_size": 6, "layers": 1, "dropout": 0.0},
    "patchtst": {"patch_size": 4, "patch_stride": 2, "hidden_size": 8, "heads": 2, "layers": 1,
                 "dropout": 0.0},
    "patchtsmixer": {"patch_size": 4, "patch_stride": 2, "hidden_size": 8, "layers": 1,
                     "dropout": 0.0},
    "lstm": {"hidden_size": 6},
    "gru": {"hidden_size": 6, "decoder": "step_by_step"},
}  # fmt: skip
SHAPES = {
    "one target": SeriesShape(channels=1, targets=1, window=8, horizon=3),
    "quantiles and the calendar": SeriesShape(
        channels=3, targets=2, window=8, horizon=5, features=2, levels=(0.1, 0.5, 0.9)
    ),
    "columns known ahead": SeriesShape(
        channels=3, targets=2, window=8, horizon=5, features=3, known=1
    ),
}


def made(kind: str, shape: SeriesShape, **values: Any) -> nn.Module:
    torch.manual_seed(0)
    return build_model(MODELS[kind](**(SMALL[kind] | values)), shape)


def windows(shape: SeriesShape, batch: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    past = torch.randn(batch, shape.window, shape.channels + shape.features, generator=generator)
    return past, torch.randn(batch, shape.horizon, shape.features, generator=generator)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", SMALL)
def test_a_forecast_has_its_shape_and_a_gradient_for_every_weight(
    kind: str, shape: SeriesShape
) -> None:
    network = made(kind, shape)
    past, future = windows(shape)
    forecast = network(past, future)
    assert forecast.shape == (4, shape.horizon, shape.outputs)
    weights = torch.randn(forecast.shape, generator=torch.Generator().manual_seed(2))
    (forecast * weights).sum().backward()
    without = [
        name
        for name, weight in network.named_parameters()
        if weight.requires_grad and (weight.grad is None or not weight.grad.abs().sum() > 0)
    ]
    assert without == []


@pytest.mark.parametrize("kind", SMALL)
def test_the_forecast_of_a_window_does_not_depend_on_the_others(kind: str) -> None:
    shape = SHAPES["quantiles and the calendar"]
    network = made(kind, shape).eval()
    past, future = windows(shape)
    with torch.no_grad():
        together = network(past, future)
        alone = torch.cat([network(past[i : i + 1], future[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["dlinear", "nhits", "patchtst", "patchtsmixer"])
def test_targets_that_are_exchanged_exchange_their_forecasts(kind: str) -> None:
    # N-HiTS shows the other columns to each target; without any, it is as the others.
    shape = SeriesShape(channels=2, targets=2, window=8, horizon=4, levels=(0.1, 0.5, 0.9))
    network = made(kind, shape).eval()
    past, future = windows(shape)
    with torch.no_grad():
        straight = network(past, future).unflatten(2, (2, 3))
        crossed = network(past.flip(2), future).unflatten(2, (2, 3))
    torch.testing.assert_close(straight, crossed.flip(2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["dlinear", "patchtst", "patchtsmixer"])
def test_each_target_is_forecast_from_its_own_past_alone(kind: str) -> None:
    shape = SeriesShape(channels=3, targets=2, window=8, horizon=4)
    network = made(kind, shape).eval()
    past, future = windows(shape, batch=1)
    with torch.no_grad():
        before = network(past, future)
        for channel, moved in enumerate([[True, False], [False, True], [False, False]]):
            other = past.clone()
            other[:, 3, channel] += 5
            changes = (network(other, future) - before).abs().sum((0, 1)) > 1e-5
            assert changes.tolist() == moved


@pytest.mark.parametrize("kind", ["dlinear", "nhits", "tsmixer", "lstm"])
def test_only_what_is_known_of_a_step_moves_its_forecast(kind: str) -> None:
    shape = SHAPES["quantiles and the calendar"]
    network = made(kind, shape).eval()
    past, future = windows(shape, batch=1)
    other = future.clone()
    other[:, 2] += 5
    with torch.no_grad():
        moved = (network(past, future) - network(past, other)).abs().sum((0, 2))
    if kind == "nhits":  # it sees the whole future
        assert (moved > 0).sum() > 1
    else:
        assert torch.nonzero(moved > 1e-6).flatten().tolist() == [2]


def linear(layer: Any, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    weight, bias = layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy()
    return values @ weight.T + bias


@pytest.mark.parametrize("kernel", [1, 3, 4, 7])
@pytest.mark.parametrize("individual", [False, True])
def test_dlinear_forecasts_trend_and_rest_by_a_linear_layer_each(
    kernel: int, individual: bool
) -> None:
    shape = SeriesShape(channels=3, targets=2, window=9, horizon=4)
    config = DLinearConfig(kernel_size=kernel, individual=individual, window_norm="none")
    torch.manual_seed(0)
    network = build_model(config, shape)
    past, future = windows(shape)
    found = network(past, future).detach().numpy()
    before = (kernel - 1) // 2
    for target in range(2):
        own = past[..., target].double().numpy()
        padded = np.pad(own, ((0, 0), (before, kernel - 1 - before)), mode="edge")
        trend = np.stack([np.convolve(row, np.ones(kernel) / kernel, "valid") for row in padded])
        place = target if individual else 0
        expected = linear(network.trend[place], trend) + linear(network.season[place], own - trend)
        assert found[..., target] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("pools", "downsampling"), [((1,), (1,)), ((2, 1), (3, 1)), ((3,), (9,))])
def test_nhits_explains_a_part_of_the_window_and_forecasts_from_the_rest(
    pools: tuple[int, ...], downsampling: tuple[int, ...]
) -> None:
    """The formulas of the paper, in numpy: pooling, two linear layers, interpolation, residuals."""
    shape = SeriesShape(channels=1, targets=1, window=7, horizon=6)
    config = NHitsConfig(
        hidden_size=5, layers=1, pool_sizes=pools, downsampling=downsampling, window_norm="none"
    )
    torch.manual_seed(0)
    network = build_nhits(config, shape)
    assert isinstance(network, NHits)
    past, future = windows(shape)
    rest = past[..., 0].double().numpy()
    forecast = np.repeat(rest[:, -1:], 6, axis=1)
    for stack, pool, spacing in zip(network.stacks, pools, downsampling, strict=True):
        parts = [rest[:, i : i + pool].max(1) for i in range(0, 7, pool)]
        layers: Any = stack.layers
        hidden = np.maximum(linear(layers[0], np.stack(parts, 1)), 0)
        whole = linear(layers[-1], hidden)
        points = whole[:, 7:]
        count = max(1, 6 // spacing)
        assert points.shape[1] == count
        # Points are the middles of equal parts of the horizon; beyond the outer ones it is flat.
        places = (np.arange(6) + 0.5) * count / 6 - 0.5
        forecast += np.stack([np.interp(places, np.arange(count), row) for row in points])
        rest = rest - whole[:, :7]
    assert network(past, future)[..., 0].detach().numpy() == pytest.approx(forecast, abs=1e-5)


def test_values_of_a_target_lie_side_by_side_in_each_step() -> None:
    batch, targets, horizon, values = 2, 3, 4, 5
    flat = torch.arange(batch * targets * horizon * values).reshape(batch, targets, -1)
    found = by_step(flat, values)
    for b, t, h, v in np.ndindex(batch, targets, horizon, values):
        assert found[b, h, t * values + v] == flat[b, t, h * values + v]


@pytest.mark.parametrize("kind", ["last", "standard"])
def test_windows_are_normalised_by_themselves_and_forecasts_put_back(kind: Any) -> None:
    seen: dict[str, Tensor] = {}

    class Inside(nn.Module):
        def forward(self, past: Tensor, future: Tensor, truth: Tensor | None) -> Tensor:
            assert truth is not None
            seen.update(past=past, truth=truth)
            return torch.ones(len(past), 2, 4)  # two targets, two values of each

    shape = SeriesShape(channels=3, targets=2, window=6, horizon=2, features=1)
    past, future = windows(shape)
    truth = torch.randn(4, 2, 2)
    forecast = Normalized(Inside(), kind, 3, 2)(past, future, truth)
    values = past[..., :3].numpy()
    shift = values[:, -1:] if kind == "last" else values.mean(1, keepdims=True)
    scale = 1.0 if kind == "last" else np.sqrt(values.var(1, keepdims=True) + 1e-5)
    assert seen["past"][..., :3].numpy() == pytest.approx((values - shift) / scale, abs=1e-5)
    assert torch.equal(seen["past"][..., 3], past[..., 3])  # the calendar is left alone
    scale = np.broadcast_to(scale, shift.shape)
    inner = (truth.numpy() - shift[..., :2]) / scale[..., :2]
    assert seen["truth"].numpy() == pytest.approx(inner, abs=1e-5)
    expected = np.repeat(scale[..., :2] + shift[..., :2], 2, axis=2).repeat(2, axis=1)
    assert forecast.numpy() == pytest.approx(expected, abs=1e-5)


def test_a_constant_window_has_a_finite_forecast() -> None:
    network = with_window_norm(nn.Identity(), "none", 1, 1)
    assert isinstance(network, nn.Identity)
    shape = SeriesShape(channels=1, targets=1, window=4, horizon=2)
    constant = made("dlinear", shape, window_norm="standard")(
        torch.full((1, 4, 1), 7.0), torch.zeros(1, 2, 0)
    )
    assert constant.flatten().tolist() == pytest.approx([7, 7], abs=0.05)


def test_quantiles_are_sorted_within_each_target() -> None:
    class Given(nn.Module):
        def forward(self, past: Tensor, future: Tensor, truth: Tensor | None) -> Tensor:
            return past

    values = torch.tensor([[[3.0, 1.0, 2.0, -1.0, -3.0, -2.0]]])
    assert Quantiles(Given(), 2)(values, values).tolist() == [[[[1, 2, 3], [-3, -2, -1]]]]
