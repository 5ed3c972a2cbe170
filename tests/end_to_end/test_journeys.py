"""Complete user journeys by keys in a real terminal, on the user's own data and models."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from safetensors.torch import load_file

from engine import RunConfig, train
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.status import State

Open = Callable[..., Any]
Call = Callable[..., subprocess.CompletedProcess[str]]
DLTUI = str(Path(sys.executable).parent / "dltui")
COPIED = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)\x07")


def wine(name: str, rate: float) -> RunConfig:
    """A short training at a learning rate."""
    return RunConfig.parse({
        "name": name,
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "wine"},
        "model": {"kind": "mlp", "hidden": [8]},
        "train": {"epochs": 3, "learning_rate": rate},
        "compute": {"device": "cpu", "threads": 1},
    })  # fmt: skip


def only_run(home: Path) -> RunDirectory:
    (run,) = all_runs(home / "runs")
    return run


def opened(open_terminal: Open, shown: str, folder: Path | None = None) -> Any:
    """The program with its first screen and key bindings shown."""
    terminal = open_terminal(folder=folder)
    terminal.wait_for(shown, "Quit")
    return terminal


def choose(terminal: Any, text: str, shown: str) -> None:
    """Select a value of the field by a part of it; ``shown`` is the form's text afterwards."""
    terminal.press("enter")
    terminal.wait_for("type to narrow down")
    terminal.press(*text, "enter")
    terminal.wait_until(lambda: shown in terminal.text and "narrow" not in terminal.text, shown)


@pytest.mark.slow
def test_a_table_of_one_s_own_becomes_a_model_that_answers(
    open_terminal: Open, dltui: Call, home: Path, tmp_path: Path
) -> None:
    fruit = [("5.5", "9", "pear"), ("7", "7", "apple")]
    rows = [f"{','.join(each)},{place}" for place in range(60) for each in fruit]
    (tmp_path / "fruit.csv").write_text("\n".join(["width,height,kind,number", *rows]))
    terminal = opened(open_terminal, "There are no runs yet", tmp_path)

    terminal.press("n")
    terminal.wait_for("1 Data", "Start")
    choose(terminal, "tabular", "tabular_classification")
    terminal.press("down")
    terminal.wait_for("› kind", "built-in data")
    choose(terminal, "local", "no file is chosen")
    terminal.press("down", "enter", *"frt")
    terminal.wait_for("fruit.csv", "width,height,kind,number")
    terminal.press("enter")
    terminal.wait_for("fruit.csv", "fits", "automatic → ")
    terminal.press("2", "down", "enter")
    terminal.wait_for("task.target", "categorical, target")
    terminal.press(*"kind", "enter")
    terminal.wait_for("*target", "kind  categorical, target")
    terminal.press("down", "enter")
    terminal.wait_for("task.ignore", "[ ] number")
    terminal.press("end", "space", "enter")
    terminal.wait_for("84 samples", "fits")
    terminal.press("ctrl+r")
    terminal.wait_for("finished", "Enter shows the results")

    terminal.press("enter")
    terminal.wait_for("test accuracy 1.0000", "Try it")
    terminal.press("t")
    terminal.wait_for("width", "height", "or a file")
    terminal.press(*"5.4", "down", *"9", "enter")
    terminal.wait_until(lambda: re.search(r"^ pear$", terminal.text, re.M), "the answer")

    run = only_run(home)
    assert json.loads(dltui("predict", run.id, "width=7.1", "height=7", "--json").stdout)
    config = run.config.read().values()
    assert (config["task"]["target"], config["task"]["ignore"]) == ("kind", ["number"])


@pytest.mark.slow
def test_layers_are_picked_for_lora_and_what_it_learned_is_merged(
    open_terminal: Open, small_encoder: Path, home: Path, tmp_path: Path
) -> None:
    films = tmp_path / "films.csv"
    films.write_text("text,label\n" + "good film,yes\nbad film,no\n" * 20)
    write_preset(home, "films", films, small_encoder)
    terminal = opened(open_terminal, "There are no runs yet", tmp_path)

    terminal.press("P")
    terminal.wait_for("films", "Text classifica", "yours")
    terminal.press("enter")
    terminal.wait_for("$ dltui run films", "fits")
    terminal.press("3", *["down"] * 2, "right")
    terminal.wait_for("adapter.target_modules")
    terminal.press(*["down"] * 4, "enter")
    terminal.wait_for("[x] key", "all-linear")
    terminal.press("1", "down", "space")
    terminal.wait_for("[x] query", "[ ] key", "[x] value", "[ ] output.dense")
    terminal.press("enter")
    terminal.wait_for("query, value", "trained (", "fits")
    terminal.press("ctrl+r")
    terminal.wait_for("finished", "Epoch 1/1")

    terminal.press("escape")
    terminal.wait_for("1 run", "finished")
    terminal.press("A")
    terminal.wait_for("1 adapter on 1 base model", "query, v")
    terminal.press("I")
    terminal.wait_for("./films-merged")
    terminal.press("enter")
    terminal.wait_for("loaded back")

    assert only_run(home).config.read().values()["adapter"]["target_modules"] == ["query", "value"]
    weights = load_file(tmp_path / "films-merged" / "model.safetensors")
    before = load_file(small_encoder / "model.safetensors")
    changed = {name for name, weight in before.items() if not weights[name].equal(weight)}
    adapted = {name for name in changed if not name.startswith("classifier")}
    assert {name.rpartition(".self.")[2] for name in adapted} == {"query.weight", "value.weight"}


def test_three_runs_are_selected_overlaid_and_exported(
    open_terminal: Open, home: Path, tmp_path: Path
) -> None:
    rates = {"slow": 0.0001, "medium": 0.01, "fast": 0.1}
    for name, rate in rates.items():
        train(wine(name, rate))
    terminal = opened(open_terminal, "3 runs", tmp_path)

    terminal.press("space", "space", "space")
    terminal.wait_for("3 selected")
    terminal.press("C")
    terminal.wait_for("━●━ ", "━▲━ ", "━■━ ", "accuracy (validation)   over epoch", "◆")
    terminal.press("m")
    terminal.wait_for("loss (validation)")
    terminal.press("3")
    terminal.wait_for("train.learning_rate", *map(str, rates.values()))
    for name in ("three.csv", "three.md"):
        terminal.press("X")
        terminal.wait_for("Write as .csv or .md to", "./comparison.csv")
        terminal.press("ctrl+u", *name, "enter")
        terminal.wait_for(f"Written to {name}")

    rows = list(csv.DictReader((tmp_path / "three.csv").open()))
    written = {row["run"].rpartition("-")[2]: float(row["train.learning_rate"]) for row in rows}
    assert written == rates
    page = (tmp_path / "three.md").read_text()
    assert "| train.learning\\_rate | 0.1 | 0.01 | 0.0001 |" in page


@pytest.mark.slow
def test_the_copied_command_is_the_same_run_when_it_is_pasted(
    open_terminal: Open, home: Path
) -> None:
    terminal = opened(open_terminal, "There are no runs yet")
    terminal.press("n")
    terminal.wait_for("1 Data", "Start")
    choose(terminal, "tabular", "tabular_classification")
    terminal.press("4")
    terminal.wait_for("› epochs")
    terminal.press("enter", "ctrl+u", "2", "enter")
    terminal.wait_for("was –", "^s Save", "Command")
    terminal.press("$")
    terminal.wait_for("Copied.")
    pasted = base64.b64decode(COPIED.findall(terminal.output)[-1]).decode()

    path = f"{Path(DLTUI).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-c", pasted], env=os.environ | {"PATH": path}, check=True)

    values = {
        "name": "iris-tabm",
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"},
        "model": {"kind": "tabm"},
        "train": {"epochs": 2},
    }
    assert only_run(home).config.asked() == RunConfig.parse(values)
    assert only_run(home).config.read().train.epochs == 2
    assert only_run(home).status.state() is State.FINISHED


def write_preset(home: Path, name: str, data: Path, model: Path) -> None:
    """Save an experiment with a text model as a preset of the user."""
    values = {
        "name": name,
        "task": {"kind": "text_classification"},
        "data": {"kind": "file", "path": str(data)},
        "model": {"kind": "transformer", "path": str(model)},
        "train": {"epochs": 1, "batch_size": 8},
        "compute": {"threads": 1},
    }
    (home / "presets").mkdir(parents=True)
    (home / "presets" / f"{name}.toml").write_text(tomlkit.dumps(values))
