"""Presets: the shipped ones are complete, the user's own are safe."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config.presets import (
    Preset,
    delete_preset,
    find_preset,
    list_presets,
    load_preset,
    save_preset,
)
from engine.config.run_config import RunConfig
from engine.config.tasks.registry import TASKS
from engine.errors import ConfigError, PresetError

SHIPPED = [preset for preset in list_presets() if preset.shipped]


def own(home: Path, name: str, content: str) -> Path:
    folder = home / "presets"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(content)
    return path


def test_there_are_shipped_presets_for_many_tasks() -> None:
    assert len(SHIPPED) >= 15
    assert len({preset.task for preset in SHIPPED}) >= 6
    assert {preset.task for preset in SHIPPED} <= set(TASKS)


@pytest.mark.parametrize("preset", SHIPPED, ids=lambda preset: preset.name)
def test_a_shipped_preset_is_whole_and_comes_back_unchanged(preset: Preset, home: Path) -> None:
    assert preset.problem == ""
    assert preset.title
    config = load_preset(preset)
    assert RunConfig.parse(config.values()) == config
    saved = save_preset("copy", config)
    assert load_preset(saved).changes() == config.changes() | {"name": "copy"}


def test_a_preset_of_the_user_hides_a_shipped_one(home: Path) -> None:
    config = load_preset(find_preset("digits-cnn"), ["train.epochs=3"])
    save_preset("digits-cnn", config)
    found = find_preset("digits-cnn")
    assert not found.shipped
    assert load_preset(found).train.epochs == 3
    delete_preset(found)
    assert find_preset("digits-cnn").shipped


def test_a_shipped_preset_stays(home: Path) -> None:
    with pytest.raises(PresetError, match="stays"):
        delete_preset(find_preset("digits-cnn"))
    assert find_preset("digits-cnn").path.is_file()


def test_a_preset_is_not_overwritten_unasked(home: Path) -> None:
    config = load_preset(find_preset("digits-cnn"))
    save_preset("mine", config)
    with pytest.raises(PresetError, match="already"):
        save_preset("mine", config)
    save_preset("mine", config, replace=True)


@pytest.mark.parametrize(
    "name", ["..", "../x", "/tmp/x", "a/b", "", "A", "a\x00b", "x" * 65, ".x", "a b", "é"]
)
def test_a_name_that_is_no_file_name_is_refused(home: Path, name: str) -> None:
    with pytest.raises(PresetError, match="cannot name a preset"):
        save_preset(name, load_preset(find_preset("digits-cnn")))
    assert not (home / "presets").exists()


@pytest.mark.parametrize(
    "content",
    ["", "{", "name = 'x'", "[model]\nkind = 'cnn'\nextra = 1", "task = 5", "a = \x00"],
)
def test_a_broken_preset_is_listed_with_its_problem(home: Path, content: str) -> None:
    own(home, "broken", content)
    (listed,) = (preset for preset in list_presets() if preset.name == "broken")
    assert listed.problem
    with pytest.raises((PresetError, ConfigError)):
        load_preset(find_preset("broken"))


def test_a_preset_that_is_no_text_is_listed_with_its_problem(home: Path) -> None:
    own(home, "bytes", "").write_bytes(b"\xff\xfe\x00")
    (listed,) = (preset for preset in list_presets() if preset.name == "bytes")
    assert "not a TOML file" in listed.problem


def test_a_preset_may_be_any_file_by_its_path(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "some where.toml"
    path.write_text(find_preset("digits-cnn").path.read_text())
    assert load_preset(find_preset(str(path))).task.kind == "image_classification"
    with pytest.raises(PresetError, match="There is no file"):
        find_preset(str(tmp_path / "nowhere.toml"))


def test_an_unknown_preset_says_how_to_see_all(home: Path) -> None:
    with pytest.raises(PresetError, match="dltui presets"):
        find_preset("nothing")


@pytest.mark.parametrize(
    ("typed", "near"), [("adlt-mlp", "adult-mlp"), ("digits_cnn", "digits-cnn")]
)
def test_a_misspelt_preset_is_answered_with_the_nearest(typed: str, near: str, home: Path) -> None:
    with pytest.raises(PresetError, match=f"Did you mean {near}"):
        find_preset(typed)
    with pytest.raises(PresetError, match=r"'zzzzzz'\. `dltui presets`"):
        find_preset("zzzzzz")


def test_one_misspelt_field_of_a_preset_does_not_hide_the_others(home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_preset(find_preset("digits-cnn"), ["train.epoch=1", "train.batch_size=-1"])
    fields = {problem.field for problem in caught.value.problems}
    assert fields == {"train.epoch", "train.batch_size"}


def test_overrides_are_applied_before_the_preset_is_checked(home: Path) -> None:
    config = load_preset(find_preset("digits-cnn"), ["train.epochs=1", "name=short"])
    assert (config.name, config.train.epochs) == ("short", 1)
