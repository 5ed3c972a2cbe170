"""The parts of a configuration that a list shows, read without validating the whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from engine.config.presets import usable_presets
from engine.config.run_config import RunConfig
from engine.errors import RunError
from engine.runs import listed_config as module
from engine.runs.directory import RunDirectory
from engine.runs.listed_config import ListedConfig, listed_config

Make = Callable[[str], RunDirectory]
TABLE = {
    "name": "flowers",
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "builtin", "name": "iris"},
    "model": {"kind": "mlp", "hidden": [4]},
}
IMPORTED = """
[imported]
name = "their run"
program = "wandb"
source = "/elsewhere"
model = "resnet50"
metric = "val/acc"
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a text as the configuration of a run."""

    def made(text: str) -> RunDirectory:
        folder = tmp_path / "20260101-000000-a"
        folder.mkdir()
        (folder / "config.toml").write_text(text)
        return RunDirectory(folder)

    return made


def written(**changes: Any) -> str:
    """The configuration as the program writes it."""
    return tomlkit.dumps(RunConfig.parse(TABLE | changes).values())


@pytest.fixture
def never_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test fail where the whole configuration is validated."""

    def refuse(config: object) -> ListedConfig:
        raise AssertionError("the whole configuration was read")

    monkeypatch.setattr(module, "_described", refuse)


@pytest.mark.usefixtures("never_whole")
def test_a_preset_of_each_task_is_listed_as_the_whole_configuration_says(make: Make) -> None:
    run = make("")
    by_task = {config.task.kind: config for config in usable_presets().values()}
    assert len(by_task) > 10
    for config in by_task.values():
        run.config.write(config)
        decides = config.task.metric(config.train.metric_for_best_model)
        assert listed_config(run) == ListedConfig(
            config.name, config.task.kind, config.data.label, config.model.kind, decides.name
        )


@pytest.mark.usefixtures("never_whole")
@pytest.mark.parametrize(("chosen", "shown"), [("", "accuracy"), ("loss", "loss")])
def test_the_metric_is_the_chosen_one_else_that_of_the_task(
    make: Make, chosen: str, shown: str
) -> None:
    train = {"metric_for_best_model": chosen}
    assert listed_config(make(written(train=train))).metric == shown


@pytest.mark.usefixtures("never_whole")
def test_a_name_in_the_title_or_a_section_is_not_that_of_the_run(make: Make) -> None:
    text = written(title='name = "other"')
    assert 'name = "iris"' in text  # of the data
    assert listed_config(make(text)).name == "flowers"


def test_mappings_and_lists_of_a_section_are_read_with_it(make: Make) -> None:
    data = {"kind": "file", "path": "/data/zip.csv", "columns": {"zip [new]": "text"}}
    text = written(data=data, name="zips")
    assert listed_config(make(text)) == ListedConfig(
        "zips", "tabular_classification", RunConfig.parse(TABLE | {"data": data}).data.label, "mlp",
        "accuracy",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('kind = "mlp"', "kind = 'mlp'"),
        ("[task]", "[ task ]  # ours"),
        ('name = "flowers"', 'name   = "flowers"'),
        ("[model]", "\n# [model]\n[model]"),
        ('title = ""', 'title = """\n[task]\nkind = "none"\n"""'),
        ("hidden = [4]", "hidden = [\n4,\n]"),
    ],
)
def test_an_edited_file_is_listed_all_the_same(make: Make, old: str, new: str) -> None:
    text = written()
    assert old in text
    shown = listed_config(make(text.replace(old, new, 1)))
    assert shown == ListedConfig("flowers", "tabular_classification", "iris", "mlp", "accuracy")


@pytest.mark.parametrize(
    "text",
    ["", "name = ", 'name = "a"\n', '[task]\nkind = "tabular_classification"\n', "\x00", "[[]]"],
)
def test_what_is_no_configuration_is_a_problem_under_the_name_of_the_run(
    make: Make, text: str
) -> None:
    run = make(text)
    shown = listed_config(run)
    assert shown.problem
    assert shown == ListedConfig(run.id, problem=shown.problem)


def test_a_file_in_another_encoding_is_a_problem(make: Make) -> None:
    run = make("")
    (run.path / "config.toml").write_bytes('title = "Übung"'.encode("latin-1"))
    assert "config.toml" in listed_config(run).problem


def test_a_missing_file_is_a_problem(make: Make) -> None:
    run = make("")
    (run.path / "config.toml").unlink()
    assert "No such file" in listed_config(run).problem


def test_an_imported_run_is_listed_by_its_model_and_metric(make: Make) -> None:
    shown = listed_config(make(IMPORTED))
    assert shown == ListedConfig("their run", data="wandb", model="resnet50", metric="val/acc")


def test_an_imported_run_without_a_model_is_listed_by_its_program(make: Make) -> None:
    assert listed_config(make(IMPORTED.replace('"resnet50"', '""'))).model == "(wandb)"


def test_escape_sequences_of_an_imported_run_are_made_visible(make: Make) -> None:
    shown = listed_config(make(IMPORTED.replace("their run", "\\u001b[31mred\\nrun")))
    assert shown.name == "␛[31mred run"


def test_an_imported_run_that_is_damaged_is_a_problem(make: Make) -> None:
    shown = listed_config(make("[imported]\nname = 1\n"))
    assert shown.problem == "The description of the imported run is damaged."


class TestConfigFile:
    """``config.toml`` and the configuration before values were found."""

    def test_what_was_written_is_read(self, make: Make) -> None:
        run, config = make(""), RunConfig.parse(TABLE | {"title": 'Größe "x" \\ \n[task]'})
        run.config.write(config)
        assert run.config.read() == config
        assert run.config.asked() == config

    def test_found_values_replace_those_that_were_asked_for(self, make: Make) -> None:
        run, asked = make(""), RunConfig.parse(TABLE)
        first = asked.override(["train.batch_size=64"])
        second = first.override(["train.batch_size=32"])
        run.config.write(asked)
        run.config.settle(first, asked)
        run.config.settle(second, first)
        assert run.config.read().train.batch_size == 32
        assert run.config.asked() == asked

    def test_an_imported_run_has_no_configuration(self, make: Make) -> None:
        run = make(IMPORTED)
        imported = run.config.imported()
        assert imported is not None
        assert (imported.name, imported.source) == ("their run", "/elsewhere")
        with pytest.raises(RunError, match="was imported from wandb"):
            run.config.read()

    def test_a_run_of_this_program_is_not_imported(self, make: Make) -> None:
        assert make(written(title="[imported]")).config.imported() is None

    @pytest.mark.parametrize(
        ("text", "said"), [("name =", "Cannot read"), ('nam = "a"', "does not suit this version")]
    )
    def test_an_error_names_the_file(self, make: Make, text: str, said: str) -> None:
        run = make(text)
        with pytest.raises(RunError, match=said) as caught:
            run.config.read()
        assert str(run.path / "config.toml") in str(caught.value)

    def test_a_damaged_earlier_configuration_is_named(self, make: Make) -> None:
        run = make(written())
        (run.path / "config-asked.toml").write_text("[")
        with pytest.raises(RunError, match=r"config-asked\.toml"):
            run.config.asked()
