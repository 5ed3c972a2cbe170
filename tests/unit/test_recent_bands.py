"""Bands follow the errors of the latest windows, and know no more than a forecaster would."""

from __future__ import annotations

import pytest
import torch

from engine.data.series.windows import WindowSource
from engine.metrics.bands import Bands, calibrate
from engine.metrics.recent_bands import RECENT, FollowingBands, recent_bands
from engine.tasks.latest_windows import by_latest

LEVELS = (0.1, 0.5, 0.9)
HORIZON = 6


def truths(windows: int, spread: float, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(windows, HORIZON, 1, generator=generator) * spread


def static(spread: float = 3.0) -> Bands:
    """Bands that were fitted where the series was livelier."""
    truth = truths(2000, spread, 1)
    known = torch.ones_like(truth, dtype=torch.bool)
    return Bands(LEVELS, calibrate(LEVELS, torch.zeros_like(truth), truth, known))


def following(truth: torch.Tensor, batch: int, bands: Bands | None = None) -> torch.Tensor:
    bands = FollowingBands(bands or static(), HORIZON)
    known = torch.ones_like(truth, dtype=torch.bool)
    found = [
        bands.quantiles(torch.zeros_like(some), some, known[: len(some)])
        for some in truth.split(batch)
    ]
    return torch.cat([part for part in found if part is not None])


def coverage(quantiles: torch.Tensor, truth: torch.Tensor) -> float:
    inside = (truth >= quantiles[..., 0]) & (truth <= quantiles[..., 2])
    return float(inside.float().mean())


def test_bands_hold_again_once_a_series_has_become_calmer() -> None:
    truth = truths(3000, 1.0)
    before = static().quantiles(torch.zeros_like(truth))
    assert before is not None
    assert coverage(before, truth) > 0.97
    assert coverage(following(truth, 100)[1500:], truth[1500:]) == pytest.approx(0.8, abs=0.02)


def test_bands_do_not_depend_on_the_batches() -> None:
    truth = truths(700, 1.0)
    assert torch.equal(following(truth, 700), following(truth, 37))


@pytest.mark.parametrize("place", [0, 200, 503, 699])
def test_a_band_knows_no_truth_of_its_own_time_or_later(place: int) -> None:
    truth = truths(700, 1.0)
    other = truth.clone()
    # The truth of a window is known a horizon later: all others since then are of the future.
    other[max(0, place - HORIZON + 1) :] += 100
    assert torch.equal(following(truth, 50)[place], following(other, 50)[place])


def test_a_few_windows_leave_the_bands_as_they_are() -> None:
    truth = truths(90, 1.0)
    expected = static().quantiles(torch.zeros_like(truth))
    assert expected is not None
    assert torch.equal(following(truth, 90), expected)


def test_bands_are_mixed_by_the_share_of_windows() -> None:
    truth = truths(RECENT, 1.0)
    windows = torch.zeros_like(truth), truth, torch.ones_like(truth, dtype=torch.bool)
    bands = static()
    own = calibrate(LEVELS, *windows)
    assert bands.factors is not None
    assert own is not None
    found = recent_bands(bands, windows, RECENT).factors
    assert found is not None
    torch.testing.assert_close(found, own)
    half = [part[: RECENT // 2] for part in windows]
    mixed = recent_bands(bands, (half[0], half[1], half[2]), RECENT // 2).factors
    assert mixed is not None
    own_half = calibrate(LEVELS, *half)
    assert own_half is not None
    torch.testing.assert_close(mixed, 0.5 * bands.factors + 0.5 * own_half)


def test_a_network_without_bands_stays_without() -> None:
    truth = truths(10, 1.0)
    known = torch.ones_like(truth, dtype=torch.bool)
    assert FollowingBands(Bands(LEVELS), HORIZON).quantiles(truth, truth, known) is None


@pytest.mark.parametrize(("rows", "follow"), [(60, False), (1200, True)])
def test_a_file_with_a_long_past_corrects_the_bands_of_its_forecast(
    rows: int, follow: bool
) -> None:
    values = torch.randn(rows, 1, generator=torch.Generator().manual_seed(0))
    source = WindowSource(
        values, torch.arange(rows), channels=1, targets=1, window=4, horizon=HORIZON
    )
    bands, said = by_latest(static(), source, lambda batch: torch.zeros_like(batch.targets))
    assert bands.factors is not None
    width = float((bands.factors[..., 2] - bands.factors[..., 0]).mean())
    assert width == pytest.approx(2 * 1.2816 if follow else 6 * 1.2816, rel=0.05)
    expected = "the last 1,000 forecasts" if follow else "those of the validation rows"
    assert expected in said
