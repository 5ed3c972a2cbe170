"""The values of the form: as they are edited, checked and reset."""

from __future__ import annotations

from typing import Any

import pytest

from engine.config.run_config import RunConfig
from tui.screens.new_run.values import Values

IRIS: dict[str, Any] = {
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "iris"},
    "model": {"kind": "mlp"},
}


def values(*texts: str, **chosen: Any) -> Values:
    """Values with some edited in turn, each ``field=text``."""
    found = Values(IRIS | chosen)
    for text in texts:
        name, _, edited = text.partition("=")
        found = found.with_text(name, edited)
    return found


def test_what_was_not_chosen_has_its_default() -> None:
    default = RunConfig.parse(IRIS)
    found = values()
    assert found.value("train.seed") == default.train.seed
    assert found.value("model.hidden") == list(default.model.hidden)  # type: ignore[attr-defined]
    assert found.value("train.learning_rate") is None
    assert found.text("train.learning_rate") == ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("train.epochs=12", 12),
        ("train.learning_rate=3e-4", 3e-4),
        ("train.epochs=twelve", "twelve"),
        ("train.epochs=1_000", 1000),
        ("model.hidden=64, 32", [64, 32]),
        ("model.hidden=[64, 32]", [64, 32]),
        ("model.hidden=", []),
        ("title=1e5", "1e5"),
        ("title=true", "true"),
        ("title= ", " "),
    ],
)
def test_a_text_is_the_value_that_it_is_written_for(text: str, value: object) -> None:
    assert values(text).value(text.partition("=")[0]) == value


@pytest.mark.parametrize(
    ("text", "number"),
    [("0.5", 0.5), (".5", 0.5), ("5e-4", 5e-4), ("1", 1.0), ("1.", 1.0), ("1E-3", 1e-3)],
)
def test_a_number_is_read_however_it_is_written(text: str, number: float) -> None:
    config = values(f"train.learning_rate={text}").checked.config
    assert config is not None
    assert config.train.learning_rate == number


@pytest.mark.parametrize(
    "text",
    [
        "title='", "title=a=b", "title=Größe 🙂", 'title=say "x"', "title=[1, 2]", "title=none",
        "train.epochs=12", "train.learning_rate=0.0003", "model.hidden=64,32",
        "train.early_stopping_patience=5", "task.target=a,b", "task.target= a ",
    ],
)  # fmt: skip
def test_a_value_is_edited_as_it_was_typed(text: str) -> None:
    name, _, typed = text.partition("=")
    assert values(text).text(name) == typed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", '"quoted"'), ("title", ""), ("title", "'a'"), ("data.path", "none"),
        ("data.path", "1e5"), ("task.ignore", ["a,b", " c", "1", "true", ""]), ("task.ignore", []),
        ("task.target", '"'), ("task.target", "a\nb"),
    ],
)  # fmt: skip
def test_the_text_of_a_value_stands_for_it(name: str, value: Any) -> None:
    """Names of columns look like lists, numbers and quotes; typed once more they are the same."""
    section, _, key = name.rpartition(".")
    chosen = {section: IRIS[section] | {key: value}} if section else {key: value}
    if section == "data":
        chosen["data"]["kind"] = "file"
        del chosen["data"]["name"]
    found = values(**chosen)
    assert found.value(name) == value
    again = found.with_text(name, found.text(name))
    assert again.value(name) == value


def test_an_emptied_number_has_its_default_again() -> None:
    found = values("train.epochs=12", "train.epochs=")
    assert found.chosen["train"] == {}
    assert found.value("train.epochs") == values().value("train.epochs")


def test_an_emptied_text_is_empty() -> None:
    assert values("title=x", "title=").value("title") == ""


def test_a_change_leaves_the_values_before_it() -> None:
    """They are kept to be undone, so nothing in them may change."""
    before = values("train.epochs=12", "model.hidden=8")
    kept = before.tree
    after = before.with_text("train.epochs", "13").with_text("model.hidden", "9")
    assert after.without("model.hidden").value("model.hidden") != [9]
    after.tree["train"]["epochs"] = 99
    assert before.tree == kept
    assert after.value("model.hidden") == [9]
    assert (before.value("train.epochs"), after.value("train.epochs")) == (12, 13)


def test_another_kind_starts_its_section_afresh() -> None:
    found = values("data.kind=file", "data.path=/data/a.csv", "data.kind=builtin")
    assert found.chosen["data"] == {"kind": "builtin"}
    assert found.kind("data") == "builtin"


def test_the_same_kind_keeps_its_section() -> None:
    assert values("data.kind=builtin").chosen["data"] == IRIS["data"]


def test_a_run_is_named_after_its_data_and_model_until_it_has_a_name() -> None:
    assert (values().value("name"), values().tree["name"]) == ("iris-mlp", "iris-mlp")
    found = values("name=mine", "data.name=wine")
    assert (found.value("name"), found.tree["name"]) == ("mine", "mine")
    assert found.without("name").value("name") == "wine-mlp"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/data/Big Table.csv", "big-table-mlp"),
        ("/data/photos/", "photos-mlp"),
        ("archive.tar.gz", "archive-mlp"),
        ("", "data-mlp"),
    ],
)
def test_a_run_on_a_file_is_named_after_the_file(path: str, name: str) -> None:
    assert values("data.kind=file", f"data.path={path}").value("name") == name


def test_a_value_that_was_never_chosen_can_be_reset() -> None:
    assert values().without("compute.device").chosen == IRIS
    assert values().without("adapter.r").value("adapter.r") == values().value("adapter.r")


def test_valid_values_are_a_configuration() -> None:
    checked = values("train.epochs=12").checked
    assert checked.problems == {}
    assert checked.config is not None
    assert checked.config.train.epochs == 12
    assert checked.config.name == "iris-mlp"


def test_each_wrong_value_is_an_error_of_its_field() -> None:
    checked = values("train.epochs=twelve", "model.dropout=1.5").checked
    assert checked.config is None
    assert set(checked.problems) == {"train.epochs", "model.dropout"}
    assert "a whole number" in checked.problems["train.epochs"]
    assert "at least 0 and below 1" in checked.problems["model.dropout"]


def test_an_error_of_no_field_is_listed_apart() -> None:
    found = values("train.epochs=twelve", model={"kind": "mlp", "hiden": [4]})
    assert found.stray_problems == ["model.hiden: no such field; did you mean model.hidden?"]
    assert set(found.checked.problems) == {"train.epochs", "model.hiden"}
    assert values().stray_problems == []
