"""Commands that are mistyped, given the wrong thing, or have nothing to list: what they answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.config.presets import find_preset, load_preset
from engine.errors import PresetError, RunError
from engine.runs.directory import RunDirectory
from tui.__main__ import main
from tui.cli.commands.predict import _rows


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a file of data and a folder of images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("x,y\n1,a\n2,b\n")
    (tmp_path / "photos").mkdir()
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    return capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["rows.csv", "./rows.csv", "photos", "./photos"])
def test_data_in_place_of_a_preset_is_told_where_it_belongs(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    error = refused(capsys, "run", name)
    assert "is not a preset. If it is data, name a preset, and behind it data.path=" in error


@pytest.mark.usefixtures("here")
def test_a_preset_may_be_a_file_without_a_suffix(here: Path) -> None:
    (here / "mine").write_text('task.kind = "tabular_classification"\ndata.kind = "builtin"\n')
    with (here / "mine").open("a") as file:
        file.write('data.name = "iris"\nmodel.kind = "mlp"\n')
    assert load_preset(find_preset("./mine")).model.kind == "mlp"
    with pytest.raises(PresetError, match="is not a preset"):
        find_preset("mine")


def test_a_missing_file_is_told_to_be_no_preset_and_no_file(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "There is no preset and no file 'rows.csv'." in refused(capsys, "check", "rows.csv")
    assert "There is no preset 'rows'." in refused(capsys, "check", "rows")


@pytest.mark.usefixtures("here")
def test_a_task_that_does_not_exist_is_not_told_to_be_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = refused(capsys, "check", "rows.csv", "task.kind=tabular_classificatio")
    assert "task.kind: no task is called 'tabular_classificatio'" in error
    assert "did you mean tabular_classification?" in error
    assert "missing" not in error
    assert "task.kind: is missing; one of image_" in refused(capsys, "check", "rows.csv")


def test_a_queue_needs_an_action_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["queue"])
    assert capsys.readouterr().err.splitlines()[-1].endswith("are required: action")


def test_empty_lists_are_told_and_are_lists_for_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command, said in (("sweeps", "no sweeps yet"), ("trash", "trash is empty")):
        assert main([command]) == 0
        assert said in capsys.readouterr().out
        assert main([command, "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("text", "column"),
    [("a=b=0.5", "a=b"), ("a=1=2", "a"), ("=5", ""), ("other=1", "other")],
)
def test_a_column_with_a_sign_in_its_name_gets_its_value(text: str, column: str) -> None:
    assert _rows([text], ["a", "a=b", "x"]) == [{column: text[len(column) + 1 :]}]


def test_a_run_whose_folder_is_gone_is_told_without_a_number_of_the_system(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "gone")
    for read in (run.config.read, run.config.asked, run.config.text):
        with pytest.raises(RunError) as caught:
            read()
        assert (
            str(caught.value) == f"Cannot read {run.path}/config.toml: No such file or directory."
        )
    (tmp_path / "gone" / "report.json").mkdir(parents=True)
    with pytest.raises(RunError, match=r"report.json: Is a directory\.$"):
        run.report.read()


@pytest.mark.parametrize(
    ("kind", "meant"), [("resnet", ""), ("cn", "cnn"), ("imagetransformer", "image_transformer")]
)
def test_only_a_kind_that_is_alike_is_suggested(
    capsys: pytest.CaptureFixture[str], kind: str, meant: str
) -> None:
    error = refused(capsys, "run", "digits-cnn", f"model.kind={kind}")
    assert f"no model is called '{kind}'" in error
    assert (f"did you mean {meant}?" in error) if meant else ("did you mean" not in error)
