"""``dltui trash`` and the filter of ``dltui runs``."""

from __future__ import annotations

import pytest

from engine.config.run_config import RunConfig
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory, all_runs
from tui.__main__ import main


def make(name: str) -> RunDirectory:
    config = RunConfig.parse(
        {
            "name": name,
            "task": {"kind": "image_classification"},
            "data": {"kind": "builtin"},
            "model": {"kind": "cnn"},
        }
    )
    return RunDirectory.create(runs_folder(), config)


def test_a_run_goes_into_the_trash_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    run = make("one")
    assert main(["trash"]) == 0
    assert "empty" in capsys.readouterr().out
    assert main(["trash", "--put", "one"]) == 0
    assert all_runs(runs_folder()) == []
    assert main(["trash"]) == 0
    assert run.id in capsys.readouterr().out
    assert main(["trash", "--restore", "one"]) == 0
    assert [found.id for found in all_runs(runs_folder())] == [run.id]


def test_an_emptied_trash_has_nothing_to_restore(capsys: pytest.CaptureFixture[str]) -> None:
    make("one")
    assert main(["trash", "--put", "one"]) == 0
    assert main(["trash", "--empty"]) == 0
    assert main(["trash", "--restore", "one"]) != 0
    assert "There is no run" in capsys.readouterr().err


def test_runs_are_filtered_as_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        make(name)
    assert main(["runs", "--filter", "task:image tw"]) == 0
    out = capsys.readouterr().out
    assert "-two" in out
    assert "-one" not in out
    assert main(["runs", "--filter", "nothing"]) == 0
    assert "No run passes" in capsys.readouterr().out
    assert main(["runs", "--filter", "stat:x"]) != 0
    assert "did you mean state:" in capsys.readouterr().err
