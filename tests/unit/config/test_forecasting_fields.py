"""The fields of forecasting: what is allowed, and which metrics there are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.config.tasks.forecasting import ForecastingConfig


def refused(**fields: Any) -> list[tuple[Any, ...]]:
    """The fields that are refused."""
    try:
        ForecastingConfig(**fields)
    except ValidationError as error:
        return [found["loc"] for found in error.errors()]
    return []


@pytest.mark.parametrize(
    ("rows", "allowed"),
    [
        ((), True),
        ((8640, 2880, 2880), True),
        ((1, 0, 0), True),
        ([5, 3, 2], True),
        ((0, 1, 1), False),  # nothing to train on
        ((10, -1, 2), False),
        ((10, 2), False),
        ((10, 2, 2, 2), False),
        ((10.5, 2, 2), False),
        (("ten", 2, 2), False),
    ],
)
def test_rows_of_splits_are_none_or_three_numbers(rows: Any, allowed: bool) -> None:
    assert bool(refused(split_rows=rows)) != allowed


@pytest.mark.parametrize(
    ("levels", "allowed"),
    [
        ((0.1, 0.5, 0.9), True),
        ((0.5,), True),
        ((0.025, 0.25, 0.5, 0.975), True),
        ((), False),
        ((0.1, 0.9), False),  # without the median there is no forecast to show
        ((0.9, 0.5, 0.1), False),
        ((0.5, 0.5), False),
        ((0.0, 0.5), False),
        ((0.5, 1.0), False),
        ((0.5, float("nan")), False),
        ((-0.1, 0.5), False),
        ((10, 50, 90), False),  # percentages
    ],
)
def test_quantiles_rise_between_zero_and_one_and_have_the_median(
    levels: tuple[float, ...], allowed: bool
) -> None:
    assert bool(refused(quantiles=levels)) != allowed


@given(st.sets(st.floats(0.001, 0.999)))
@settings(max_examples=50, deadline=None)
def test_sorted_levels_with_the_median_are_kept_as_they_are(levels: set[float]) -> None:
    rising = tuple(sorted(levels | {0.5}))
    assert ForecastingConfig(quantiles=rising).quantiles == rising


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [
        ("window", 1, 100_000),
        ("horizon", 1, 100_000),
        ("stride", 1, None),
        ("cutoffs", 0, 1000),
        ("season", 0, 100_000),
        ("baseline_seconds", 0, 86_400),
    ],
)
def test_bounds_are_allowed_and_what_lies_beyond_is_not(
    field: str, least: int, most: int | None
) -> None:
    assert refused(**{field: least}) == []
    assert refused(**{field: least - 1}) == [(field,)]
    if most is not None:
        assert refused(**{field: most}) == []
        assert refused(**{field: most + 1}) == [(field,)]


@pytest.mark.parametrize(
    "fields",
    [
        {"window": 1.5},
        {"window": True},
        {"window": "ten"},
        {"season": None},
        {"fill": "zero"},
        {"loss": "rmse"},
        {"baseline_seconds": float("inf")},
        {"baseline_seconds": float("nan")},
        {"targets": "load"},  # a text is no list of columns
        {"series": [1]},
        {"calendar": "perhaps"},
        {"time": "\ud800"},
        {"horizont": 3},
    ],
)
def test_values_of_another_kind_are_refused_at_their_field(fields: dict[str, Any]) -> None:
    [name] = fields
    assert [place[0] for place in refused(**fields)] == [name]


def test_metrics_at_cut_offs_exist_only_where_there_are_some() -> None:
    whole = ForecastingConfig().metric_names
    assert whole[0] == "mse_scaled"
    assert not [name for name in whole if name.endswith("_cutoffs")]
    rolling = ForecastingConfig(cutoffs=3).metric_names
    assert {*rolling} - {*whole} == {"mse_cutoffs", "mae_cutoffs"}
    assert [name for name in rolling if name in whole] == list(whole)


def test_errors_fall_and_shares_rise() -> None:
    rises = {metric.name for metric in ForecastingConfig.metrics if metric.higher_is_better}
    assert rises == {"r2", "coverage"}
