"""The search space of a sweep, parsed from texts."""

from __future__ import annotations

import pytest

from engine.config.presets import find_preset, load_preset
from engine.config.run_config import fields_of
from engine.errors import ConfigError, PresetError
from engine.sweep.compose import compose
from engine.sweep.space import Choice, Range, as_texts, is_space, place, read_space

CONFIG = load_preset(find_preset("wine-mlp"))


def test_texts_become_ranges_and_choices() -> None:
    texts = {
        "train.learning_rate": "1e-4..1e-1:log",
        "train.epochs": "5..20",
        "train.batch_size": "8, 16,16,32",
        "train.optimizer": "adamw,sgd",
        "model.hidden": "32|64,64",
    }
    assert read_space(CONFIG, texts) == [
        Range("train.learning_rate", 1e-4, 1e-1, log=True),
        Range("train.epochs", 5, 20, whole=True),
        Choice("train.batch_size", ("8", "16", "32")),
        Choice("train.optimizer", ("adamw", "sgd")),
        Choice("model.hidden", ("32", "64,64")),
    ]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("train.learning_rat", "1,2", "did you mean train.learning_rate"),
        ("train.learning_rate", "1e-3..1e-5", "does not rise"),
        ("train.learning_rate", "0..1:log", "above zero"),
        ("train.learning_rate", "a..b", "is not a range"),
        ("train.learning_rate", "-1..1", "is not allowed"),
        ("train.batch_size", "8.5..64", "whole numbers"),
        ("train.optimizer", "adamw,adam", "'adam' is not allowed"),
        ("train.epochs", "1,many", "'many' is not allowed"),
    ],
)
def test_what_cannot_be_tried_is_reported_with_its_field(name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=name.replace(".", r"\.")) as caught:
        read_space(CONFIG, {name: text})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("train.learning_rate=1e-4..1e-1", True),
        ("train.batch_size=8,16", True),
        ("train.batch_size=8", False),
        ("model.hidden=64,64", False),
        ("model.hidden=64|64,64", True),
        ("title=one, two ..", False),
    ],
)
def test_one_value_is_distinguished_from_several(assignment: str, expected: bool) -> None:
    name, _, text = assignment.partition("=")
    assert is_space(text, fields_of(CONFIG.values()).get(name)) is expected


def test_the_place_of_a_configuration_gives_its_own_values_back() -> None:
    space = read_space(CONFIG, {"train.learning_rate": "1e-4..1e-1", "model.hidden": "32|64,64"})
    found = place(CONFIG, space)
    assert found is not None
    texts = as_texts(space, found)
    assert texts == {"train.learning_rate": "0.001", "model.hidden": "64,64"}
    again = CONFIG.override([f"{name}={text}" for name, text in texts.items()])
    assert again == CONFIG.override([f"train.learning_rate={CONFIG.usual_rate}"])


def test_a_field_that_is_not_set_has_its_place_at_none() -> None:
    space = read_space(CONFIG, {"train.max_steps": "20,none", "train.max_minutes": "none|5"})
    assert place(CONFIG, space) == {"train.max_steps": "none", "train.max_minutes": "none"}
    assert place(CONFIG.override(["train.max_steps=20"]), space[:1]) == {"train.max_steps": "20"}
    assert place(CONFIG.override(["train.max_steps=30"]), space[:1]) is None
    weights = read_space(CONFIG, {"task.class_weights": "none,balanced"})  # a name, not a lack
    assert place(CONFIG, weights) == {"task.class_weights": "none"}
    # The number of epochs that the method brings along is the same as none.
    usual = CONFIG.override(["train.epochs=none"])
    for text in ("none", str(usual.train.epoch_count)):
        [epochs] = read_space(usual, {"train.epochs": f"{text},1000"})
        assert place(usual, [epochs]) == {"train.epochs": text}


def test_a_configuration_outside_the_space_has_no_place_in_it() -> None:
    assert place(CONFIG, read_space(CONFIG, {"train.learning_rate": "1e-2..1e-1"})) is None
    assert place(CONFIG, read_space(CONFIG, {"model.hidden": "32|32,32"})) is None


def test_fields_are_those_of_the_kind_that_is_chosen_beside_them() -> None:
    sweep = compose("wine-mlp", ["model.kind=tabm", "model.members=8,16"])
    assert (sweep.base["model"]["kind"], sweep.space) == ("tabm", {"model.members": "8,16"})


def test_a_sweep_of_fields_that_name_all_kinds_needs_no_preset() -> None:
    kinds = ["data.kind=file", "data.path=homes.csv", "model.kind=mlp", "task.target=price"]
    sweep = compose("task.kind=tabular_regression", [*kinds, "train.batch_size=16,32"])
    assert (sweep.base["task"]["target"], sweep.base["data"]["path"]) == ("price", "homes.csv")
    assert sweep.space == {"train.batch_size": "16,32"}
    with pytest.raises(PresetError, match=r"data\.kind are needed"):
        compose("task.kind=tabular_regression", [*kinds[2:], "train.batch_size=16,32"])


def test_an_unknown_field_with_several_values_is_named() -> None:
    with pytest.raises(ConfigError, match=r"model.member: no such field; did you mean"):
        compose("wine-mlp", ["model.kind=tabm", "model.member=8,16"])


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("0.999..0.99999", 0.99996, 0.99996),  # and not 1, which is no decay
        ("0.999..0.99999", 0.9991234, 0.9991234),
        ("0.9..0.99999", 0.98764321, 0.98764),
        ("0.12344..0.5", 0.12344, 0.12344),  # 0.1234 would be below the range
        ("0.5..0.98765", 0.98765, 0.98765),
    ],
)
def test_a_number_is_written_as_finely_as_its_range_needs(
    text: str, value: float, expected: float
) -> None:
    (dimension,) = read_space(CONFIG, {"train.ema_decay": text})
    assert isinstance(dimension, Range)
    assert float(dimension.text(value)) == expected


def test_learning_rates_are_written_with_four_digits() -> None:
    (dimension,) = read_space(CONFIG, {"train.learning_rate": "1e-5..1e-2:log"})
    assert isinstance(dimension, Range)
    assert dimension.text(0.000123456) == "0.0001235"
