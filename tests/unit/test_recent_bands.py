"""Bands follow the errors of the latest windows, and know no more than a forecaster would."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from engine.data.series.panel_windows import PanelWindowSource, SeriesFacts
from engine.data.series.window_plan import plan_windows
from engine.data.series.windows import WindowSource
from engine.metrics.forecasts.bands import Bands, calibrate
from engine.metrics.forecasts.following_bands import SeriesBands
from engine.metrics.forecasts.recent_bands import RECENT, FollowingBands, recent_bands
from engine.tasks.latest_windows import LatestWindows, by_latest

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


NEVER = torch.tensor([torch.iinfo(torch.int64).min])
WINDOW = 4


def latest_windows(values: torch.Tensor, lengths: Sequence[int] = ()) -> LatestWindows:
    """Windows of one series, or of several of these lengths, that are forecast as 0."""
    rows = len(values)
    if len(lengths) > 1:
        starts = np.cumsum([0, *lengths])
        times = torch.cat([torch.arange(length) for length in lengths])
        plan = plan_windows(starts, np.zeros(len(lengths), np.int64), WINDOW, HORIZON)
        numbers, ones = torch.arange(len(lengths)), torch.ones(len(lengths), 1)
        facts = SeriesFacts(numbers, 0 * ones, ones)
        source = PanelWindowSource(values[:, None], times, None, plan, facts, channels=1)
        return LatestWindows(static(), source, lambda batch: torch.zeros_like(batch.targets))
    one = WindowSource(
        values[:, None], torch.arange(rows), channels=1, targets=1, window=WINDOW, horizon=HORIZON
    )
    return LatestWindows(static(), one, lambda batch: torch.zeros_like(batch.targets))


def width(factors: torch.Tensor) -> float:
    return float((factors[..., 2] - factors[..., 0]).mean())


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
    latest = latest_windows(torch.randn(rows, generator=torch.Generator().manual_seed(0)))
    found, said = by_latest(latest, NEVER)
    assert list(found) == [0] * follow
    if follow:
        assert width(found[0]) == pytest.approx(2 * 1.2816, rel=0.1)
    expected = "the last 1,000 forecasts" if follow else "fitted on the validation rows"
    assert expected in said


def test_forecasts_of_rows_that_were_trained_on_do_not_correct_bands() -> None:
    values = torch.randn(1200, generator=torch.Generator().manual_seed(0))
    values[:800] /= 100
    after = torch.tensor([799])
    found, said = by_latest(latest_windows(values), after)
    assert "the last 395 forecasts" in said
    share = 395 / RECENT
    assert width(found[0]) == pytest.approx((6 - 4 * share) * 1.2816, rel=0.1)
    found, said = by_latest(latest_windows(values), after + 310)
    assert not found
    assert said.endswith("have known values; the file has 85.")


def test_the_bands_of_each_series_follow_its_own_past() -> None:
    values = torch.randn(2150, generator=torch.Generator().manual_seed(0))
    values[1200:2100] *= 2
    latest = latest_windows(values, [1200, 900, 50])
    found, said = by_latest(latest, NEVER.expand(3))
    assert sorted(found) == [0, 1]
    assert width(found[0]) == pytest.approx(2 * 1.2816, rel=0.1)
    assert width(found[1]) == pytest.approx((6 - 2 * 0.891) * 1.2816, rel=0.1)
    assert said == (
        "The bands of 2 series follow the errors of their own latest forecasts; those of 1 are of "
        "the validation rows, as they have fewer than 100 after the training rows."
    )


def test_bands_of_series_follow_each_by_itself_in_any_batches() -> None:
    lengths = [300, 3, 40, 500, 1, 1, 1, 250]
    truth = truths(sum(lengths), 1.0)
    known = torch.ones_like(truth, dtype=torch.bool)
    series = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    alone = torch.cat([following(part, 1000) for part in truth.split(lengths)])
    for size in (len(truth), 37, 1):
        bands, found = SeriesBands(static(), HORIZON), []
        for rows in torch.arange(len(truth)).split(size):
            batch = torch.zeros_like(truth[rows]), truth[rows], known[rows], series[rows]
            quantiles = bands.quantiles(*batch)
            assert quantiles is not None
            found.append(quantiles)
        assert torch.equal(torch.cat(found), alone)


@pytest.mark.parametrize("lengths", [[1500], [700, 60, 400]])
def test_a_window_seen_by_itself_has_the_band_of_the_evaluation(lengths: list[int]) -> None:
    values = torch.randn(sum(lengths), generator=torch.Generator().manual_seed(3))
    latest = latest_windows(values, lengths)
    [batch] = latest.source.read([torch.arange(len(latest.source))])
    truth = batch.targets
    known = torch.ones_like(truth, dtype=torch.bool)
    order = batch.inputs.get("order", torch.zeros(len(truth), dtype=torch.int64))
    evaluated = SeriesBands(static(), HORIZON)
    expected = evaluated.quantiles(torch.zeros_like(truth), truth, known, order)
    assert expected is not None
    windows = torch.tensor([0, 5, 111, 300, len(latest.source) - 1])
    found = latest.at(windows, HORIZON).quantiles(torch.zeros_like(truth[windows]))
    assert found is not None
    torch.testing.assert_close(found, expected[windows])
