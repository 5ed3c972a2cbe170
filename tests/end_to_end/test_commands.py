"""Commands as scripts call them: real processes, real trainings."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import train
from engine.config.presets import find_preset, load_preset
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.events import Progress
from engine.runs.status import State

Call = Callable[..., subprocess.CompletedProcess[str]]
SHORT = ("train.max_steps=5", "compute.threads=1")
ENDLESS = ("train.epochs=100000", "compute.threads=1")


def only_run(home: Path) -> RunDirectory:
    (run,) = all_runs(home / "runs")
    return run


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


def test_a_preset_trains_to_its_end_and_is_found_again(dltui: Call) -> None:
    ran = dltui("run", "digits-cnn", *SHORT)

    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("run ")
    assert lines[-1].startswith("finished after ")
    (listed,) = json.loads(dltui("runs", "--json").stdout)
    assert listed["id"] == lines[0].removeprefix("run ")
    assert listed["state"] == "finished"
    assert listed["metric"] == "accuracy"
    assert 0 <= listed["value"] <= 1
    report = json.loads(dltui("show", listed["id"], "--json").stdout)["report"]
    assert report["metrics"]["test"]["accuracy"] == listed["value"]


@pytest.mark.slow
def test_programs_read_the_events_of_a_run_from_start_to_end(dltui: Call, home: Path) -> None:
    ran = dltui("run", "digits-cnn", "--json", *SHORT)

    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert events[0]["event"] == "started"
    assert events[-1]["event"] == "finished"
    assert events[-1]["step"] == 5
    assert ran.stdout == only_run(home).events.path.read_text()


def test_a_detached_run_continues_and_can_be_stopped(dltui: Call, home: Path) -> None:
    left = dltui("run", "digits-cnn", "--detach", *ENDLESS)
    run = RunDirectory(home / "runs" / left.stdout.strip())
    assert run.status.state() is State.RUNNING
    wait_until(lambda: run.events.last(Progress) is not None)

    stopped = dltui("stop", "digits-cnn")

    assert stopped.returncode == 0
    wait_until(lambda: run.status.state() is State.STOPPED)
    assert (run.model / "config.toml").is_file()


def test_a_run_in_this_very_process_writes_the_same_directory(dltui: Call, home: Path) -> None:
    ran = dltui("run", "digits-cnn", "--in-process", "--json", *SHORT)

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["event"] == "finished"
    assert only_run(home).status.state() is State.FINISHED


@pytest.mark.parametrize(
    ("content", "column", "said"),
    [("", "y", "is empty"), ("x,y\n1,a\n2,b\n", "z", "no column 'z'")],
)
def test_data_that_cannot_be_used_is_wrong_usage(
    content: str, column: str, said: str, dltui: Call, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(content)
    ran = dltui("run", "adult-mlp", f"data.path={path}", f"task.target={column}")
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "is not kept" in ran.stdout
    assert not all_runs(home / "runs")


def test_a_run_that_fails_says_why_in_one_line(dltui: Call, tmp_path: Path) -> None:
    ran = dltui("run", "adult-mlp", f"data.path={tmp_path / 'absent.csv'}", "data.kind=file")

    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert line.startswith("dltui: ")
    assert "absent.csv" in line


def test_a_reader_who_has_seen_enough_is_no_error(home: Path) -> None:
    program = shlex.quote(str(Path(sys.executable).parent / "dltui"))
    piped = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {program} presets --json | head -c 1"],
        capture_output=True,
        text=True,
    )

    assert piped.stdout == "["
    assert piped.stderr == ""
    assert piped.returncode == 0


def test_doctor_finds_the_parts_of_the_program(dltui: Call, home: Path) -> None:
    findings = json.loads(dltui("doctor", "--json").stdout)

    assert all(findings["versions"].values())
    assert findings["extras"]["sweep"], "the tests use it"
    assert not {"test", "lint", "bench"} & findings["extras"].keys()
    assert findings["devices"][-1]["device"] == "cpu"
    assert findings["chosen"]
    assert findings["memory"]["total"] > findings["memory"]["available"] > 0
    assert findings["folders"]["runs"] == str(home / "runs")


def test_without_a_terminal_the_program_says_what_to_do(dltui: Call) -> None:
    opened = dltui()

    assert opened.returncode == 2
    assert "dltui run PRESET" in opened.stderr


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_asks_the_run_to_stop_and_a_second_one_leaves(
    times: int, open_terminal: Callable[..., object], home: Path
) -> None:
    terminal = open_terminal("run", "digits-cnn", *ENDLESS)
    terminal.wait_for("epoch ", " left")

    for _ in range(times):
        terminal.press("ctrl+c")

    assert terminal.wait_for_exit() == 130
    assert "Stopping; the model is kept as it is now." in terminal.text
    wait_until(lambda: only_run(home).status.state() is State.STOPPED)


@pytest.mark.slow
def test_a_run_outlives_the_terminal_that_it_was_started_from(
    open_terminal: Callable[..., object], home: Path
) -> None:
    terminal = open_terminal("run", "digits-cnn", *ENDLESS)
    terminal.wait_for("epoch ", " left")

    os.kill(terminal.process.pid, signal.SIGHUP)
    terminal.wait_for_exit()

    run = only_run(home)
    read = run.events.path.stat().st_size
    wait_until(lambda: run.events.path.stat().st_size > read)
    assert run.status.state() is State.RUNNING


def test_a_run_is_written_down_as_a_page(dltui: Call, home: Path) -> None:
    train(load_preset(find_preset("digits-cnn"), SHORT))

    for ending, words in ((".html", "<h2>Results</h2>"), (".md", "## Results")):
        path = home / f"page{ending}"
        written = dltui("report", only_run(home).id, "--output", str(path))
        assert written.returncode == 0, written.stderr
        page = path.read_text()
        assert words in page
        for expected in ("accuracy", "digits", "max_steps = 5", "confusion"):
            assert expected in page.lower(), expected

    refused = dltui("report", only_run(home).id, "--output", "page.pdf")
    assert refused.returncode == 2
    assert ".html or .md" in refused.stderr


def test_data_is_checked_and_the_change_that_removes_a_finding_is_told(
    dltui: Call, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{i},{i * 7 % 11},{i % 2},{'ab'[i % 2]}" for i in range(100)]
    path.write_text("\n".join(["a,b,c,answer", *rows]) + "\n")
    refused = dltui("check", str(path))
    assert refused.returncode == 2
    assert "task.kind: is missing" in refused.stderr
    checked = dltui("check", str(path), "task.kind=tabular_classification")
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.startswith("t.csv: train ")
    assert "leaks the target in c" in checked.stdout
    assert "drop the column c: data.columns.c=ignored" in checked.stdout
