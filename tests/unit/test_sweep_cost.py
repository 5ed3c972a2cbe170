"""In a time limit, what trains few weights in few epochs is tried before what costs more."""

from __future__ import annotations

import itertools

from engine.sweep.cost import Point, cost, steps_up
from engine.sweep.space import Choice, Range

METHODS = Choice("adapter.method", ("none", "lora"))
EPOCHS = Choice("train.epochs", ("10", "2"))
RATE = Range("train.learning_rate", 1e-4, 1e-2, log=True)


def test_a_grid_is_tried_from_adapters_to_the_whole_network_and_from_few_epochs_to_many() -> None:
    grid: list[Point] = [
        {"adapter.method": method, "train.epochs": epochs}
        for method, epochs in itertools.product(METHODS.values, EPOCHS.values)
    ]
    assert [tuple(point.values()) for point in sorted(grid, key=cost)] == [
        ("lora", "2"), ("lora", "10"), ("none", "2"), ("none", "10"),
    ]  # fmt: skip


def test_frozen_layers_come_before_the_whole_network() -> None:
    grid: list[Point] = [{"model.trainable": value} for value in ("all", "head", "last_stage")]
    assert sorted(grid, key=cost) == [grid[1], grid[2], grid[0]]


def test_no_limit_costs_more_than_any() -> None:
    grid: list[Point] = [{"train.max_steps": text} for text in ("none", "1_000", "", "0x10", "500")]
    assert [point["train.max_steps"] for point in sorted(grid, key=cost)] == [
        "0x10", "500", "1_000", "none", "",
    ]  # fmt: skip
    limits = Choice("train.max_minutes", ("none", "5"))
    assert steps_up(None, [limits], 4) == [
        {"train.max_minutes": "5"}, {"train.max_minutes": "none"},
    ]  # fmt: skip


def test_the_preset_is_tried_with_what_costs_less_and_more() -> None:
    own: Point = {"adapter.method": "lora", "train.epochs": "10", "train.learning_rate": 1e-3}
    points = steps_up(own, [METHODS, EPOCHS, RATE], 8)
    assert [(point["adapter.method"], point["train.epochs"]) for point in points] == [
        ("lora", "2"), ("lora", "10"), ("none", "2"), ("none", "10"),
    ]  # fmt: skip
    assert {point["train.learning_rate"] for point in points} == {1e-3}


def test_half_of_the_trials_are_left_to_the_search() -> None:
    own: Point = {"adapter.method": "none", "train.epochs": "10"}
    points = steps_up(own, [METHODS, EPOCHS], 4)
    assert [tuple(point.values()) for point in points] == [("lora", "2"), ("none", "10")]
    assert steps_up(own, [RATE], 4) == [own]


def test_a_preset_outside_of_the_space_leaves_the_other_fields_to_the_search() -> None:
    assert steps_up(None, [EPOCHS, RATE], 8) == [{"train.epochs": "2"}, {"train.epochs": "10"}]
    assert steps_up(None, [RATE], 8) == []
