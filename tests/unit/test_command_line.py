"""The commands of ``dltui``: their output, exit status, and the files that they leave unchanged."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from engine.config.run_config import RunConfig
from engine.files.paths import logs_folder, presets_folder, runs_folder
from engine.processes.identity import ProcessIdentity
from engine.runs import control
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Event, EventLog, Failed, Finished, Progress, Started
from tui.__main__ import main
from tui.cli.commands import COMMANDS, load
from tui.cli.guard import guarded

CONFIG = {
    "name": "digits-cnn",
    "task": {"kind": "image_classification"},
    "data": {"kind": "builtin", "name": "digits"},
    "model": {"kind": "cnn"},
}
STARTED = Started(time=1000.0, device="cpu", precision="float32", threads=1)
FINISHED = Finished(time=1060.5, step=8, seconds=55.0, metrics={"loss": 0.2, "accuracy": 0.75})


def make_run(*events: Event) -> RunDirectory:
    """A run directory with these events."""
    run = RunDirectory.create(runs_folder(), RunConfig.parse(CONFIG))
    log = EventLog(run.events.path)
    for event in events:
        log.write(event)
    log.close()
    return run


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    assert main(arguments) == 0
    return json.loads(capsys.readouterr().out)


def test_runs_are_listed_for_programs_with_the_promised_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = make_run(STARTED, FINISHED)

    assert json_of(capsys, "runs", "--json") == [
        {
            "id": run.id,
            "name": "digits-cnn",
            "task": "image_classification",
            "state": "finished",
            "metric": "accuracy",
            "value": 0.75,
            "started": "1970-01-01T00:16:40Z",
            "seconds": 60.5,
            "tags": [],
            "note": "",
            "pinned": False,
        }
    ]


def test_a_run_under_way_is_listed_with_its_best_value_so_far(
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = [(1, 0.5, True), (2, 0.9, True), (3, 0.7, False)]
    make_run(
        STARTED,
        *(
            Evaluated(
                step=step, epoch=step, split="validation", metrics={"accuracy": value}, best=best
            )
            for step, value, best in values
        ),
        Progress(step=4, steps=8, epoch=4, epochs=8, loss=None, learning_rate=0.1),
    )

    (listed,) = json_of(capsys, "runs", "--json")

    assert listed["value"] == 0.9


def test_a_run_whose_configuration_is_broken_is_listed_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = make_run(STARTED, FINISHED)
    (run.path / "config.toml").write_text("[task]\nkind = 'nothing'\n")

    assert main(["runs"]) == 0

    assert f"{run.id}  finished" in capsys.readouterr().out


def test_without_runs_the_list_says_how_to_begin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    assert "dltui run PRESET" in capsys.readouterr().out


def test_without_runs_the_list_for_programs_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    assert json_of(capsys, "runs", "--json") == []


def test_presets_are_listed_for_programs_with_the_promised_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    presets = json_of(capsys, "presets", "--json")

    assert all(list(preset) == ["name", "task", "title", "path", "needs"] for preset in presets)
    digits = next(preset for preset in presets if preset["name"] == "digits-cnn")
    assert digits["task"] == "image_classification"
    assert Path(digits["path"]).is_file()


def test_a_broken_preset_is_listed_with_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    presets_folder().mkdir(parents=True)
    (presets_folder() / "mine.toml").write_text("task = [")

    assert main(["presets"]) == 0

    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("mine"))
    assert "cannot be used" in line
    assert "mine.toml is not a TOML file" in line


def test_show_tells_programs_all_of_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(STARTED, FINISHED)

    shown = json_of(capsys, "show", run.id, "--json")

    assert shown["state"] == "finished"
    assert shown["config"] == RunConfig.parse(CONFIG).values()
    assert shown["path"] == str(run.path)


def test_show_tells_people_why_a_run_failed(capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(STARTED, Failed(message="The disk is full."))

    assert main(["show", run.id]) == 0

    shown = capsys.readouterr().out
    assert "failed" in shown
    assert "The disk is full." in shown


def test_nothing_in_a_run_reaches_the_terminal_as_a_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = make_run(STARTED, Failed(message="a\x1b]52;c;aGk=\x07b\u202ec"))

    main(["show", run.id])

    shown = capsys.readouterr().out
    assert not set("\x1b\x07\u202e") & set(shown)
    assert "a␛]52" in shown


def test_stop_leaves_a_request_to_a_run_under_way(capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(STARTED)
    run.status.set_worker(ProcessIdentity.own())

    assert main(["stop", run.id]) == 0

    assert [request.action for request in run.requests.take()] == [control.STOP]


def test_stop_leaves_a_run_alone_that_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(STARTED, FINISHED)

    assert main(["stop", run.id]) == 0

    assert "it is finished" in capsys.readouterr().out
    assert list(run.requests.take()) == []


@pytest.mark.parametrize("command", ["show", "stop"])
def test_a_run_that_does_not_exist_is_wrong_usage(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "nothing"]) == 2
    assert capsys.readouterr().err.startswith("dltui: There is no run 'nothing'")


def test_a_preset_that_does_not_exist_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "nothing"]) == 2
    assert capsys.readouterr().err.startswith("dltui: There is no preset 'nothing'")


def test_wrong_fields_give_one_line_each_and_start_no_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", "digits-cnn", "train.epochs=0", "train.batch_size=many"]) == 2

    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("dltui: train.epochs: 0 is not allowed; a whole number from 1")
    assert second.startswith("dltui: train.batch_size: 'many' is not allowed; a whole number")
    assert not runs_folder().exists()


def test_an_unknown_field_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "digits-cnn", "train.learningrate=1"]) == 2
    assert "did you mean train.learning_rate?" in capsys.readouterr().err


def test_options_may_stand_between_fields(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "digits-cnn", "--json", "train.epochs=0", "train.seed=-1"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_an_unknown_command_is_answered_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["rnus"])

    assert left.value.code == 2
    assert "did you mean runs?" in capsys.readouterr().err


def test_every_command_of_the_table_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert COMMANDS
    for name, line in COMMANDS.items():
        with pytest.raises(SystemExit) as left:
            main([name, "--help"])
        assert left.value.code == 0
        assert line[1:] in " ".join(capsys.readouterr().out.split())
        assert callable(load(name).execute)


def test_a_full_disk_is_no_defect_of_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert guarded(lambda: Path("/dev/full").write_text("x")) == 1
    assert capsys.readouterr().err == "dltui: Cannot write: No space left on device.\n"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/settings.toml")
    assert guarded(Mock(side_effect=full)) == 1
    said = "dltui: Cannot write to /data/settings.toml: No space left on device.\n"
    assert capsys.readouterr().err == said


def test_a_mistake_of_the_program_leaves_a_private_report_and_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert guarded(lambda: 1 // 0) == 1

    (line,) = capsys.readouterr().err.splitlines()
    (report,) = logs_folder().glob("crash-*.txt")
    assert line.endswith(str(report))
    assert "ZeroDivisionError" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0


def test_a_run_of_a_missing_file_is_refused_before_it_exists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "customers.csv").touch()
    path = tmp_path / "costumers.csv"
    data = ["data.kind=file", f"data.path={path}"]
    words = ["run", "table-classification", *data, "task.target=churned"]
    assert main(words) == 2
    assert "Did you mean customers.csv?" in capsys.readouterr().err
    assert not runs_folder().exists()


@pytest.mark.parametrize("how", ["--join", "--resume"])
def test_what_an_existing_sweep_would_not_take_over_is_refused(
    how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sweep", how, "old", "train.epochs=3", "train.seed=1,2", "--trials", "60"]
    assert main(words) == 2
    assert capsys.readouterr().err == (
        f"dltui: {how} takes the sweep old as it is, without --trials, train.epochs=3, "
        "train.seed=1,2. To search in another way, start another sweep.\n"
    )


def test_a_sweep_is_either_joined_or_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--join", "old", "--resume", "old"]) == 2
    assert "as it is, without --resume" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--join", "old", "--parallel", "2"], ["--resume", "old"]])
def test_an_existing_sweep_is_looked_for(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sweep", *words]) == 2
    assert "There is no sweep 'old'" in capsys.readouterr().err
