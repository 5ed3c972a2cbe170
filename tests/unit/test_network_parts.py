"""Small parts of networks, against their formulas."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from engine.config.models.mlp import MlpConfig
from engine.models.images.cnn import Cnn
from engine.models.images.mirrored import Mirrored
from engine.models.images.residual_cnn import Residual, ResidualCnn
from engine.models.images.unet import FeaturePyramid, UNet
from engine.models.language.pooling import embedded
from engine.models.shapes import TabularShape
from engine.models.tables.category_embedding import category_embedding
from engine.models.tables.mlp import Mlp, Waves, build, embedding_width
from engine.models.tables.number_head import begin_at, log_odds
from engine.models.tables.piecewise import PiecewiseLinear


class Tokens(nn.Module):
    """A network whose states of tokens are given."""

    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states

    def forward(self, **inputs: Any) -> Any:
        del inputs
        return types.SimpleNamespace(last_hidden_state=self.states)


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("mode", ["mean", "cls", "last"])
def test_the_vector_of_a_text_is_that_of_its_own_tokens(mode: Any, unit: bool) -> None:
    states = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    lengths = [4, 2, 1]
    mask = torch.tensor([[1] * n + [0] * (4 - n) for n in lengths])
    found = embedded(Tokens(states), {"attention_mask": mask}, mode, unit)
    for row, length in enumerate(lengths):
        own = states[row, :length]
        vector = {"mean": own.mean(0), "cls": own[0], "last": own[-1]}[mode]
        if unit:
            vector = vector / vector.norm()
        torch.testing.assert_close(found[row], vector)


@pytest.mark.parametrize("mode", ["mean", "cls", "last"])
def test_padding_changes_no_vector(mode: Any) -> None:
    states = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(2, 3, dtype=torch.int64)
    padded = torch.cat([states, torch.full((2, 2, 4), 1e4)], 1)
    wide = torch.cat([mask, torch.zeros(2, 2, dtype=torch.int64)], 1)
    plain = embedded(Tokens(states), {"attention_mask": mask}, mode, True)
    torch.testing.assert_close(
        embedded(Tokens(padded), {"attention_mask": wide}, mode, True), plain
    )


def test_a_text_without_tokens_has_a_finite_vector() -> None:
    for mode in ("mean", "cls", "last"):
        mask = torch.zeros(1, 2, dtype=torch.int64)
        found = embedded(Tokens(torch.ones(1, 2, 3)), {"attention_mask": mask}, mode, True)
        assert found.isfinite().all()


EDGES = st.lists(st.floats(-5, 5), min_size=2, max_size=6, unique=True).map(
    lambda cuts: sorted(round(cut, 2) for cut in cuts)
).filter(lambda cuts: min(np.diff(cuts)) > 0.05)  # fmt: skip


@given(EDGES, st.floats(-8, 8))
@settings(max_examples=80, deadline=None)
def test_the_place_of_a_number_among_bins_is_piecewise_linear(
    edges: list[float], number: float
) -> None:
    """Against interpolation: the encoding 1, …, share, 0, … times weights is their running sum."""
    embedding = PiecewiseLinear([edges], 1)
    bins = len(edges) - 1
    steps = np.arange(1.0, bins + 1)
    with torch.no_grad():
        embedding.weight.copy_(torch.tensor(steps).reshape(1, bins, 1))
        embedding.slope.zero_()
        embedding.bias.zero_()
    found = embedding(torch.tensor([[number]])).item()
    heights = np.concatenate([[0], np.cumsum(steps)])
    expected = np.interp(number, edges, heights)
    if number < edges[0]:  # the outer bins continue in a straight line
        expected = (number - edges[0]) / (edges[1] - edges[0]) * steps[0]
    elif number > edges[-1]:
        expected = heights[-1] + (number - edges[-1]) / (edges[-1] - edges[-2]) * steps[-1]
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_a_column_without_bins_is_linear_and_bins_begin_without_effect() -> None:
    embedding = PiecewiseLinear([[0.0, 1.0, 2.0], []], 3)
    numbers = torch.tensor([[0.5, -2.0], [7.0, 4.0]])
    with torch.no_grad():
        found = embedding(numbers).unflatten(1, (2, 3))
        expected = numbers[..., None] * embedding.slope + embedding.bias.reshape(2, 3)
    torch.testing.assert_close(found, expected)


def test_waves_are_sines_and_cosines_of_each_number_alone() -> None:
    torch.manual_seed(0)
    waves = Waves(3, frequencies=4, scale=0.5, features=2)
    numbers = torch.randn(5, 3)
    found = waves(numbers).detach().double().numpy().reshape(5, 3, 2)
    bias = waves.bias.detach().numpy().reshape(3, 2)
    for i in range(3):
        frequencies = waves.frequencies[i].detach().double().numpy()
        angles = 2 * np.pi * numbers[:, i : i + 1].double().numpy() * frequencies
        sides = np.concatenate([np.sin(angles), np.cos(angles)], 1)
        expected = np.maximum(sides @ waves.weight[i].detach().double().numpy() + bias[i], 0)
        assert found[:, i] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh"])
def test_a_perceptron_is_linear_layers_with_an_activation_between(activation: str) -> None:
    shape = TabularShape(numeric=2, cardinalities=(4, 3), outputs=3)
    config = MlpConfig(hidden=[5], activation=activation, dropout=0.0, embedding_size=2)
    torch.manual_seed(0)
    network = build(config, shape)
    inputs = {
        "numeric": torch.randn(6, 2),
        "categorical": torch.stack([torch.randint(4, (6,)), torch.randint(3, (6,))], 1),
    }
    tables = [
        table.weight[inputs["categorical"][:, i]] for i, table in enumerate(network.embeddings)
    ]
    values = torch.cat([inputs["numeric"], *tables], 1)
    if network.waves is not None:
        pytest.skip("waves are on by default")
    first: Any = next(layer for layer in network.layers if isinstance(layer, nn.Linear))
    hidden = getattr(torch.nn.functional, activation)(values @ first.weight.T + first.bias)
    expected = hidden @ network.head.weight.T + network.head.bias
    torch.testing.assert_close(network(inputs), expected)


def test_unknown_categories_begin_at_the_mean_of_all() -> None:
    table = category_embedding(5, 3)
    assert table.weight[0].tolist() == [0, 0, 0]
    assert (table.weight[1:] != 0).all()


@pytest.mark.parametrize(("count", "width"), [(2, 2), (10, 6), (100, 21), (10_000, 50)])
def test_embeddings_are_as_wide_as_those_of_fastai(count: int, width: int) -> None:
    assert embedding_width(count) == min(50, round(1.6 * count**0.56)) == width


def test_a_perceptron_without_hidden_layers_is_linear() -> None:
    network = Mlp(2, (), 1, ())
    inputs = {"numeric": torch.randn(4, 2), "categorical": torch.zeros(4, 0, dtype=torch.int64)}
    doubled = {**inputs, "numeric": 2 * inputs["numeric"]}
    bias = network.head.bias
    torch.testing.assert_close(network(doubled) - bias, 2 * (network(inputs) - bias))


def test_an_image_and_its_mirror_image_have_the_same_mean_logits() -> None:
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Flatten(), nn.Linear(2 * 3 * 4, 5))
    network, images = Mirrored(inner), torch.randn(3, 2, 3, 4)
    torch.testing.assert_close(network(images), network(images.flip(-1)))
    torch.testing.assert_close(network(images), (inner(images) + inner(images.flip(3))) / 2)


@pytest.mark.parametrize("side", [1, 2, 5, 16])
@pytest.mark.parametrize(
    "network",
    [Cnn(2, (4, 6, 8), 3, 0.0), ResidualCnn(2, 4, (6, 8), 3, 0.0)],
    ids=["cnn", "residual_cnn"],
)
def test_images_of_any_size_have_logits_and_every_weight_a_gradient(
    network: nn.Module, side: int
) -> None:
    network.zero_grad()
    logits = network(torch.randn(4, 2, side, side))
    assert logits.shape == (4, 3)
    (logits * torch.randn(4, 3)).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_a_block_that_adds_its_input_is_the_input_where_its_change_is_zero() -> None:
    block = Residual(3).eval()
    images = torch.randn(2, 3, 4, 4)
    nn.init.zeros_(block.convolution.weight)
    torch.testing.assert_close(block(images), images)


def test_each_pixel_has_logits_and_features_have_the_resolution_that_is_asked_for() -> None:
    images = torch.randn(2, 3, 16, 16)
    assert UNet(3, (4, 6, 8), 5, 0.0)(images).shape == (2, 5, 16, 16)
    for finest in range(3):
        features = FeaturePyramid(3, (4, 6, 8), finest)(images)
        assert features.shape == (2, (4, 6, 8)[finest], 16 >> finest, 16 >> finest)


def test_logits_of_pixels_move_with_the_image() -> None:
    torch.manual_seed(0)
    network = UNet(1, (4, 6), 2, 0.0).eval()
    image = torch.zeros(1, 1, 16, 16)
    image[0, 0, 6:10, 6:10] = 1
    with torch.no_grad():
        here = network(image)
        there = network(image.roll(2, 3))  # one step of the coarser resolution
    torch.testing.assert_close(here.roll(2, 3)[..., 6:12], there[..., 6:12], rtol=1e-4, atol=1e-5)


def test_a_new_head_begins_at_the_mean_of_the_data_on_its_scale() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))
    head: Any = network[1]
    before = head.weight.detach().clone()
    begin_at(network, mean=100.0, std=7.0)
    torch.testing.assert_close(head.weight.detach(), before * 7)
    assert head.bias.item() == 100


def test_a_head_that_was_trained_stays() -> None:
    network: Any = nn.Sequential(nn.Linear(3, 1))
    network.new_layers = {"other"}
    before = network[0].weight.detach().clone()
    begin_at(network, 100.0, 7.0)
    assert torch.equal(network[0].weight, before)
    begin_at(nn.Linear(3, 2), 100.0, 7.0)  # no head of one number


@pytest.mark.parametrize(("share", "logit"), [(0.5, 0.0), (0.75, np.log(3)), (0.1, -np.log(9))])
def test_log_odds_are_the_inverse_of_the_sigmoid(share: float, logit: float) -> None:
    assert log_odds(share) == pytest.approx(logit)
    assert torch.tensor(log_odds(share)).sigmoid().item() == pytest.approx(share)


@pytest.mark.parametrize(("share", "logit"), [(0.0, -np.log(999)), (1.0, np.log(999))])
def test_log_odds_of_never_and_always_are_finite(share: float, logit: float) -> None:
    assert log_odds(share) == pytest.approx(logit)
