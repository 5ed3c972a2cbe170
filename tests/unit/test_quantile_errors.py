"""Pinball loss, weighted quantile loss and coverage, against scikit-learn and counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_pinball_loss

from engine.metrics.forecasts.quantiles import QuantileErrors, QuantileSums, pinball_loss
from engine.reports.views import Lines, Table, Texts

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)


@pytest.fixture
def forecasts() -> tuple[torch.Tensor, torch.Tensor]:
    """Sorted quantiles ``[30, 4, 2, levels]`` and truths ``[30, 4, 2]``."""
    generator = torch.Generator().manual_seed(3)
    quantiles = torch.randn(30, 4, 2, len(LEVELS), generator=generator, dtype=torch.float64)
    truth = torch.randn(30, 4, 2, generator=generator, dtype=torch.float64)
    return quantiles.sort(3).values, truth


def errors_of(
    quantiles: torch.Tensor, truth: torch.Tensor, known: torch.Tensor, batch_size: int = 30
) -> QuantileErrors:
    sums = QuantileSums(LEVELS)
    for some in torch.arange(len(truth)).split(batch_size):
        sums.update(quantiles[some], truth[some], known[some], torch.float64)
    size = (truth.abs() * known).sum(0).numpy()
    return sums.result(size, known.double().sum(0).numpy())


@pytest.mark.parametrize("level", LEVELS)
def test_the_pinball_loss_of_each_level_is_that_of_scikit_learn(
    forecasts: tuple[torch.Tensor, torch.Tensor], level: float
) -> None:
    quantiles, truth = forecasts
    place = LEVELS.index(level)
    losses = pinball_loss(quantiles, truth, LEVELS)
    assert losses.shape == quantiles.shape
    expected = mean_pinball_loss(
        truth.flatten().numpy(), quantiles[..., place].flatten().numpy(), alpha=level
    )
    assert losses[..., place].mean().item() == pytest.approx(expected, rel=1e-12)


@given(
    st.floats(0.01, 0.99),
    st.lists(st.floats(-50, 50), min_size=1, max_size=30),
    st.floats(-60, 60),
)
@settings(max_examples=60, deadline=None)
def test_no_constant_has_less_pinball_loss_than_the_quantile_of_the_values(
    level: float, values: list[float], other: float
) -> None:
    truth = torch.tensor(values, dtype=torch.float64)
    quantile = float(np.quantile(values, level, method="inverted_cdf"))

    def loss(constant: float) -> float:
        constants = torch.full((len(values), 1), constant, dtype=torch.float64)
        return pinball_loss(constants, truth, [level]).mean().item()

    assert loss(quantile) <= loss(other) + 1e-9


def test_the_pinball_loss_is_above_zero_unless_the_quantile_is_the_truth() -> None:
    truth = torch.tensor([2.0, 2.0, 2.0])
    quantiles = torch.tensor([[2.0], [1.0], [4.0]])
    # One below at 0.9: 0.9; two above: 0.1 · 2.
    assert pinball_loss(quantiles, truth, [0.9]).squeeze(1).tolist() == pytest.approx([0, 0.9, 0.2])


def test_the_gradient_of_the_pinball_loss_is_the_share_of_truths_below_less_the_level() -> None:
    quantile = torch.zeros(4, 1, dtype=torch.float64, requires_grad=True)
    truth = torch.tensor([-1.0, -2.0, -3.0, 5.0], dtype=torch.float64)
    pinball_loss(quantile, truth, [0.7]).sum().backward()
    assert quantile.grad is not None
    assert quantile.grad.flatten().tolist() == pytest.approx([0.3, 0.3, 0.3, -0.7])


def test_the_weighted_quantile_loss_is_twice_the_mean_pinball_loss_over_the_size_of_the_truth(
    forecasts: tuple[torch.Tensor, torch.Tensor],
) -> None:
    quantiles, truth = forecasts
    errors = errors_of(quantiles, truth, torch.ones_like(truth, dtype=torch.bool))
    for target in range(2):
        own = truth[..., target].flatten().numpy()
        by_level = [
            2 * len(own) * mean_pinball_loss(own, quantiles[..., target, i].flatten(), alpha=level)
            for i, level in enumerate(LEVELS)
        ]
        expected = np.mean(by_level) / np.abs(own).sum()
        assert errors.by_target()["wql"][target] == pytest.approx(expected)


def test_coverage_is_the_share_of_truths_within_the_widest_band(
    forecasts: tuple[torch.Tensor, torch.Tensor],
) -> None:
    quantiles, truth = forecasts
    errors = errors_of(quantiles, truth, torch.ones_like(truth, dtype=torch.bool))
    inside = (truth >= quantiles[..., 0]) & (truth <= quantiles[..., -1])
    assert errors.by_target()["coverage"].tolist() == pytest.approx(
        inside.double().mean((0, 1)).tolist()
    )


def test_truths_on_the_ends_of_a_band_are_inside() -> None:
    quantiles = torch.tensor([[[[-1.0, -0.5, 0.0, 0.5, 1.0]]]] * 4)
    truth = torch.tensor([-1.0, 1.0, 1.001, -1.001]).reshape(4, 1, 1)
    errors = errors_of(quantiles, truth, torch.ones_like(truth, dtype=torch.bool))
    assert errors.by_target()["coverage"].tolist() == [0.5]


def test_truths_that_were_filled_in_count_nowhere(
    forecasts: tuple[torch.Tensor, torch.Tensor],
) -> None:
    quantiles, truth = forecasts
    known = torch.rand(truth.shape, generator=torch.Generator().manual_seed(1)) < 0.6
    some, others = (
        errors_of(quantiles, truth, known),
        truth.where(known, torch.tensor(1e6).double()),
    )
    assert errors_of(quantiles, others, known).by_target()["coverage"].tolist() == pytest.approx(
        some.by_target()["coverage"].tolist()
    )
    for target in range(2):
        marks = known[..., target]
        own = truth[..., target][marks].numpy()
        by_level = [
            mean_pinball_loss(own, quantiles[..., target, i][marks], alpha=level)
            for i, level in enumerate(LEVELS)
        ]
        expected = 2 * np.mean(by_level) / np.abs(own).mean()
        assert some.by_target()["wql"][target] == pytest.approx(expected)


@pytest.mark.parametrize("batch_size", [1, 7, 29])
def test_metrics_do_not_depend_on_the_batches(
    forecasts: tuple[torch.Tensor, torch.Tensor], batch_size: int
) -> None:
    known = torch.ones_like(forecasts[1], dtype=torch.bool)
    whole = errors_of(*forecasts, known).by_target()
    parts = errors_of(*forecasts, known, batch_size).by_target()
    for name, values in whole.items():
        assert parts[name].tolist() == pytest.approx(values.tolist(), rel=1e-12)


def test_a_target_whose_truths_are_all_zero_has_no_weighted_loss() -> None:
    quantiles, truth = torch.ones(3, 2, 1, len(LEVELS)), torch.zeros(3, 2, 1)
    errors = errors_of(quantiles, truth, torch.ones_like(truth, dtype=torch.bool))
    assert np.isnan(errors.by_target()["wql"]).all()
    assert errors.by_target()["coverage"].tolist() == [0.0]


@pytest.mark.parametrize(
    ("levels", "bands"),
    [
        ((0.5,), []),
        ((0.1, 0.5, 0.9), [(0.1, 0.9)]),
        ((0.1, 0.5), []),
        (LEVELS, [(0.1, 0.9), (0.25, 0.75)]),
        ((0.05, 0.2, 0.5, 0.95), [(0.05, 0.95)]),
        ((0.07, 0.5, 0.93), [(0.07, 0.93)]),  # 1 - 0.07 is a little below 0.93 in float64
    ],
)
def test_bands_are_between_levels_that_lie_alike_on_both_sides(
    levels: tuple[float, ...], bands: list[tuple[float, float]]
) -> None:
    assert [pytest.approx(band) for band in bands] == QuantileSums(levels).bands


def test_without_a_band_there_is_no_coverage_and_no_view() -> None:
    sums = QuantileSums((0.5,))
    truth = torch.ones(4, 2, 1)
    sums.update(
        torch.zeros(4, 2, 1, 1), truth, torch.ones_like(truth, dtype=torch.bool), truth.dtype
    )
    errors = sums.result(truth.sum(0).numpy(), np.full((2, 1), 4.0))
    assert set(errors.by_target()) == {"wql"}
    assert errors.by_target()["wql"].tolist() == [1.0]  # 2 · 0.5 · 1 over 1
    assert errors.views(np.ones(1)) == []


def test_views_tell_share_and_mean_width_of_each_band_in_units_of_the_data() -> None:
    # The band of 80 % is 4 wide and holds 3 of 4 values, that of 50 % is 2 wide and holds 2 of 4.
    quantiles = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).expand(2, 2, 1, 5)
    truth = torch.tensor([[0.5, 1.5], [-0.5, 3.0]]).unsqueeze(2)
    errors = errors_of(quantiles, truth, torch.ones_like(truth, dtype=torch.bool))
    text, table, lines = errors.views(np.array([10.0]))
    assert isinstance(text, Texts)
    assert text.items == [
        {
            "80 % band": "The 80 % band held 75.0% of the values.",
            "50 % band": "The 50 % band held 50.0% of the values.",
        }
    ]
    assert isinstance(table, Table)
    assert table.rows == [["80 % band", 0.75, 40.0], ["50 % band", 0.5, 20.0]]
    assert isinstance(lines, Lines)
    assert lines.series == {"80 % band": [1.0, 0.5], "50 % band": [1.0, 0.0]}


def test_a_step_without_a_truth_has_a_gap_in_the_curve() -> None:
    quantiles = torch.zeros(2, 3, 1, 5)
    truth = torch.zeros(2, 3, 1)
    known = torch.ones_like(truth, dtype=torch.bool)
    known[:, 1] = False
    lines = errors_of(quantiles, truth, known).views(np.ones(1))[-1]
    assert isinstance(lines, Lines)
    assert lines.series["80 % band"] == [1.0, None, 1.0]
