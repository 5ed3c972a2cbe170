"""The difference of an exported network's outputs from those of the trained one."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.artifacts.outputs import distance, larger, tensors_of

INF, NAN = math.inf, math.nan


def tensors(*outputs: list[float]) -> list[Tensor]:
    return [torch.tensor(values) for values in outputs]


@pytest.mark.parametrize(
    ("ours", "theirs", "difference"),
    [
        ([[1.0, 2.0]], [[1.0, 2.0]], 0.0),
        ([[1.0, -2.0]], [[1.5, -4.0]], 2.0),
        ([[0.0], [1.0]], [[0.25], [1.5]], 0.5),
        ([[0.0], [1.0]], [[0.5], [1.25]], 0.5),
        ([[]], [[]], 0.0),
        ([[], [1.0]], [[], [3.0]], 2.0),
        ([[-INF, 1.0]], [[-INF, 1.5]], 0.5),
        ([[INF]], [[INF]], 0.0),
        ([[INF]], [[-INF]], INF),
        ([[INF]], [[0.0]], INF),
        ([[NAN, 1.0]], [[NAN, 1.0]], 0.0),
    ],
)
def test_the_largest_difference_of_any_number(
    ours: list[list[float]], theirs: list[list[float]], difference: float
) -> None:
    assert distance(tensors(*ours), tensors(*theirs)) == difference


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("value", [0.0, INF])
def test_an_output_that_is_no_number_is_never_lost(place: int, value: float) -> None:
    """NaN is neither larger nor smaller than another number, so ``max`` may drop it."""
    good = [[value], [1.0], [2.0]]
    bad = [list(values) for values in good]
    bad[place] = [NAN]
    assert math.isnan(distance(tensors(*good), tensors(*bad)))
    assert math.isnan(distance(tensors(*bad), tensors(*good)))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(width=32), min_size=1, max_size=6), st.data())
def test_a_difference_is_the_same_in_both_directions(values: list[float], data: Any) -> None:
    others = data.draw(st.lists(st.floats(width=32), min_size=len(values), max_size=len(values)))
    one, other = (
        distance(tensors(values), tensors(others)),
        distance(tensors(others), tensors(values)),
    )
    assert one == other or (math.isnan(one) and math.isnan(other))
    assert distance(tensors(values), tensors(values)) == 0


def test_whole_numbers_and_half_precision_are_compared_as_numbers() -> None:
    assert distance([torch.tensor([1, 5])], [torch.tensor([1, 2])]) == 3
    assert distance([torch.tensor([0.5], dtype=torch.bfloat16)], [torch.tensor([0.25])]) == 0.25


def test_outputs_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        distance(tensors([1.0]), tensors([1.0], [2.0]))


@pytest.mark.parametrize(("one", "other"), [(NAN, 0.0), (0.0, NAN), (NAN, 9.0)])
def test_of_two_ways_to_load_a_model_neither_may_give_no_number(one: float, other: float) -> None:
    assert math.isnan(larger(one, other))
    assert larger(1.0, 2.0) == 2.0


def test_tensors_are_found_in_any_structure() -> None:
    a, b, c = tensors([1.0], [2.0], [3.0])
    record = SimpleNamespace(to_tuple=lambda: (a, (b, None), {"more": [c, "x", 4]}))
    assert [one.item() for one in tensors_of(record)] == [1, 2, 3]
    assert [one.item() for one in tensors_of(a)] == [1]
    assert tensors_of(None) == []
