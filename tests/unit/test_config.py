"""The configuration schema: the values it refuses, its messages, and the values it saves."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.config.run_config import REGISTRIES, RunConfig, fields_of, parse_overridden
from engine.config.train import TrainConfig
from engine.errors import ConfigError

DIGITS: dict[str, Any] = {
    "task": {"kind": "image_classification"},
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "cnn"},
}


def problems(values: dict[Any, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        RunConfig.parse(values)
    return {problem.field: problem.message for problem in caught.value.problems}


def refused(*assignments: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        RunConfig.parse(DIGITS).override(assignments)
    return {problem.field: problem.message for problem in caught.value.problems}


def test_defaults_make_a_whole_experiment() -> None:
    config = RunConfig.parse(DIGITS)
    assert config.train.learning_rate is None
    assert config.train.peak_rate == config.usual_rate == 1e-3
    assert (config.train.epochs, config.train.epoch_count) == (None, 10)
    assert (config.train.batch_size, config.train.batch_rows) == (None, 64)
    assert config.compute.device == "auto"


def test_every_wrong_field_gets_one_line_with_what_is_allowed() -> None:
    found = problems(DIGITS | {"train": {"epochs": 0, "learning_rate": "fast", "optimizer": "x"}})
    assert found == {
        "train.epochs": "0 is not allowed; a whole number from 1 to 100000",
        "train.learning_rate": "'fast' is not allowed; a number above 0 and at most 100",
        "train.optimizer": "'x' is not allowed; one of adamw, sgd, adamw_8bit, "
        "paged_adamw_8bit (default adamw)",
    }


def test_the_text_of_an_error_has_a_line_a_field() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.parse(DIGITS | {"train": {"epochs": 0, "seed": -1}})
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["train.epochs", "train.seed"]


@pytest.mark.parametrize(
    ("values", "field", "nearest"),
    [
        ({"train": {"learning_rat": 1}}, "train.learning_rat", "train.learning_rate"),
        ({"train": {"batchsize": 1}}, "train.batchsize", "train.batch_size"),
        ({"model": {"kind": "cnn", "chanels": [1]}}, "model.chanels", "model.channels"),
        ({"compute": {"devise": "cpu"}}, "compute.devise", "compute.device"),
        ({"compute": {"epochs": 3}}, "compute.epochs", "train.epochs"),
        ({"train": {"lr": 1}}, "train.lr", "train.learning_rate"),
    ],
)
def test_an_unknown_key_suggests_the_nearest_known_one(
    values: dict[str, Any], field: str, nearest: str
) -> None:
    assert problems(DIGITS | values) == {field: f"no such field; did you mean {nearest}?"}


@pytest.mark.parametrize("key", ["kind", "type", "lrate"])
def test_an_unknown_key_that_is_like_no_other_is_answered_with_those_of_its_section(
    key: str,
) -> None:
    """``kind`` is a key of three other sections, and ``lrate`` is a little like ``strategy``."""
    [said] = problems(DIGITS | {"adapter": {key: "lora"}}).values()
    assert said.startswith("no such field; adapter has method, r, lora_alpha, ")
    [said] = problems(DIGITS | {"train": {key: 1}}).values()
    assert said.startswith("no such field; train has epochs, ")


def test_an_unknown_kind_suggests_the_nearest_known_one() -> None:
    assert "did you mean cnn?" in problems(DIGITS | {"model": {"kind": "cmn"}})["model.kind"]


def test_a_missing_kind_lists_what_there_is() -> None:
    assert "cnn" in problems(DIGITS | {"model": {}})["model.kind"]


def test_missing_sections_are_all_named() -> None:
    assert problems({}).keys() == {"task", "data", "model"}


@pytest.mark.parametrize("value", [5, "text", [1], True])
def test_a_section_must_be_a_section(value: object) -> None:
    assert "section" in problems(DIGITS | {"train": value})["train"]
    with pytest.raises(ConfigError, match="section"):
        parse_overridden(DIGITS | {"train": value}, ["train.epochs=2"])


def test_a_model_that_does_not_suit_the_task_is_refused_with_those_that_do() -> None:
    message = problems(DIGITS | {"model": {"kind": "mlp"}})["model.kind"]
    assert "does not suit the task image_classification" in message
    assert "cnn" in message


def test_a_metric_of_another_task_is_refused_with_those_there_are() -> None:
    message = problems(DIGITS | {"train": {"metric_for_best_model": "rmse"}})
    assert "accuracy" in message["train.metric_for_best_model"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, [1]])
def test_a_number_must_be_a_finite_number(value: object) -> None:
    assert problems(DIGITS | {"train": {"weight_decay": value}}).keys() == {"train.weight_decay"}


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".hidden", "A", "a\x00", "é"])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    assert "1 to 64 of a-z" in problems(DIGITS | {"name": name})["name"]


def test_escape_sequences_in_keys_do_not_reach_the_message() -> None:
    with pytest.raises(ConfigError) as caught:
        RunConfig.parse(DIGITS | {"train": {"\x1b[31m": 1}})
    assert "\x1b" not in str(caught.value)


def test_an_override_reads_numbers_lists_and_texts_as_they_are_meant() -> None:
    config = RunConfig.parse(DIGITS).override(
        ["train.learning_rate=3e-4", "model.channels=8,16", "train.max_steps=7", "title=2024"]
    )
    assert config.train.learning_rate == 3e-4
    assert config.model.channels == (8, 16)  # type: ignore[attr-defined]
    assert config.train.max_steps == 7
    assert config.title == "2024"


def test_an_optional_field_is_emptied_by_none() -> None:
    config = RunConfig.parse(DIGITS | {"train": {"max_steps": 7}})
    assert config.override(["train.max_steps=none"]).train.max_steps is None


def test_changing_the_kind_starts_the_section_afresh() -> None:
    config = RunConfig.parse(DIGITS | {"model": {"kind": "cnn", "channels": [8]}})
    other = config.override(["model.kind=torchvision"])
    assert other.model.kind == "torchvision"
    assert other.override(["model.kind=cnn"]).model == RunConfig.parse(DIGITS).model


def test_kinds_are_applied_before_their_fields_in_whatever_order_they_come() -> None:
    config = RunConfig.parse(DIGITS).override(["data.path=a.csv", "data.kind=file"])
    assert config.data.kind == "file"


def test_naming_the_same_kind_again_keeps_the_section() -> None:
    config = RunConfig.parse(DIGITS | {"model": {"kind": "cnn", "channels": [8]}})
    assert config.override(["model.kind=cnn"]).model == config.model


@pytest.mark.parametrize("text", ["train.epochs", "=3", ""])
def test_an_override_without_field_or_value_is_refused(text: str) -> None:
    assert "field=value" in refused(text)[""]


def test_several_wrong_overrides_are_all_reported() -> None:
    assert refused("epochs=3", "train.epoch=3").keys() == {"epochs", "train.epoch"}


def test_a_misspelt_override_does_not_hide_what_else_is_wrong() -> None:
    found = refused("train.learning_rat=1", "train.epochs=-5", "model.activaton=x", "data.name=x")
    assert found.keys() == {
        "train.learning_rat", "train.epochs", "model.activaton", "data.name",
    }  # fmt: skip
    assert "no such field" in found["train.learning_rat"]
    assert "-5 is not allowed" in found["train.epochs"]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        (
            "data.path=x.csv",
            "data.kind=builtin has no such field; "
            "file, image_folder, image_masks, image_boxes have it",
        ),
        ("data.config=x", "data.kind=builtin has no such field; hub has it"),
        (
            "data.qqqqqqqqqqqqqqqqqq=x",
            "no such field; data has kind, validation_fraction, test_fraction, max_samples, group, "
            "time, folds, fold, …",
        ),
    ],
)
def test_a_field_of_another_kind_names_the_kinds_that_have_it(
    assignment: str, message: str
) -> None:
    field = assignment.partition("=")[0]
    assert refused(assignment)[field] == message


def test_an_override_of_a_whole_section_is_refused() -> None:
    assert "no such field" in refused("train=3")["train"]


def test_values_come_back_as_the_same_experiment() -> None:
    config = RunConfig.parse(DIGITS | {"train": {"epochs": 3, "max_steps": 9}, "name": "x"})
    assert RunConfig.parse(config.values()) == config


def test_changes_hold_the_kinds_and_what_differs_only() -> None:
    config = RunConfig.parse(DIGITS | {"train": {"epochs": 3}})
    assert config.changes() == {
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin"},
        "model": {"kind": "cnn"},
        "train": {"epochs": 3},
    }


def test_a_configuration_cannot_be_changed_in_place() -> None:
    config = RunConfig.parse(DIGITS)
    with pytest.raises(ValueError, match="frozen"):
        config.train.epochs = 3  # type: ignore[misc]


def test_every_kind_describes_its_fields_with_a_line_of_help() -> None:
    fields = [
        spec
        for section, registry in REGISTRIES.items()
        for kind in registry
        for spec in fields_of({section: {"kind": kind}}).values()
    ]
    assert len(fields) > 100
    assert [spec.name for spec in fields if not spec.help] == []


def test_every_default_is_allowed_by_its_own_field() -> None:
    for section, registry in REGISTRIES.items():
        for kind in registry:
            for spec in fields_of({section: {"kind": kind}}).values():
                if isinstance(spec.default, int | float) and not isinstance(spec.default, bool):
                    assert spec.minimum is None or spec.default >= spec.minimum, spec.name
                    assert spec.maximum is None or spec.default <= spec.maximum, spec.name


def test_a_range_of_nodes_sets_the_fewest_and_the_most() -> None:
    train = TrainConfig.model_validate({"nodes": "1..4"})
    assert (train.fewest_machines, train.machines) == (1, 4)
    assert TrainConfig(nodes=3).fewest_machines == 3
    with pytest.raises(ValidationError, match=r"larger than train\.nodes"):
        TrainConfig.model_validate({"nodes": "4..2"})
