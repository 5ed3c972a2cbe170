"""The whole program in a real terminal: keys are typed, the screen is read, a run is trained."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.runs.directory import all_runs
from engine.runs.status import State

Open = Callable[..., Any]
Call = Callable[..., subprocess.CompletedProcess[str]]

OWN_PRESET = """
title = "A few updates of the digits"
[task]
kind = "image_classification"
[data]
kind = "builtin"
name = "digits"
[model]
kind = "cnn"
[train]
epochs = {epochs}
[compute]
threads = 1
"""
LEAVES_ALTERNATE_SCREEN = b"\x1b[?1049l"
SHOWS_CURSOR = b"\x1b[?25h"
IGNORES_MOUSE = b"\x1b[?1000l"


def write_preset(home: Path, name: str, epochs: int) -> None:
    """Save a preset of the user."""
    (home / "presets").mkdir(parents=True)
    (home / "presets" / f"{name}.toml").write_text(OWN_PRESET.format(epochs=epochs))


def listed(terminal: Any) -> int:
    """The number of presets on the screen, each labelled as shipped or own."""
    return sum(" shipped " in line or " yours " in line for line in terminal.text.splitlines())


def steps(terminal: Any) -> int:
    """The step that the monitor shows; 0 if it shows none."""
    found = re.search(r"Step (\d+)/", terminal.text)
    return int(found[1]) if found else 0


def start_preset(terminal: Any, name: str) -> None:
    """Select a preset from the history, view its estimate, and start it."""
    terminal.press("P")
    terminal.wait_for("What it does", " shipped ")
    terminal.press("/", *name, "enter")
    terminal.wait_until(lambda: listed(terminal) == 1, "the one row")
    terminal.press("enter")
    terminal.wait_for(f"$ dltui run {name}", "steps", "memory")
    terminal.press("ctrl+r")


def test_a_preset_is_chosen_trained_looked_at_and_found_after_a_restart(
    open_terminal: Open, home: Path
) -> None:
    write_preset(home, "quick", epochs=2)
    terminal = open_terminal()
    terminal.wait_for("There are no runs yet", "Quit")

    start_preset(terminal, "quick")
    terminal.wait_for("finished", "Epoch 2/2", "100%")
    terminal.wait_until(
        lambda: b"\x1b]9;dltui quick: finished, " in terminal.output, "a notification"
    )
    terminal.press("enter")
    terminal.wait_for("test accuracy", "Summary", "Confusion matrix")
    # Once only: an escape followed by a letter would be another key to a terminal.
    terminal.press("escape")
    terminal.wait_for("1 run", "quick", "finished")
    terminal.press("q")
    assert terminal.wait_for_exit() == 0

    again = open_terminal()
    again.wait_for("1 run", "quick", "finished")


@pytest.mark.slow
def test_a_run_continues_when_the_program_is_left_and_is_watched_live_from_the_next_one(
    open_terminal: Open, home: Path
) -> None:
    write_preset(home, "long", epochs=100_000)
    terminal = open_terminal()
    terminal.wait_for("There are no runs yet", "Quit")
    start_preset(terminal, "long")
    terminal.wait_for("running", "Epoch ")
    terminal.press("escape")
    terminal.wait_for("1 run", "running")

    terminal.press("q")

    assert terminal.wait_for_exit() == 0
    assert b"1 run continues" in terminal.output
    (run,) = all_runs(home / "runs")
    assert run.status.state() is State.RUNNING

    again = open_terminal()
    again.wait_for("1 run", "running")
    again.press("enter")
    again.wait_until(lambda: steps(again), "its first step")
    seen = steps(again)
    again.wait_until(lambda: steps(again) > seen, "a later step")
    again.press("S")
    again.wait_for("✓ Checkpoint written.")


def test_the_terminal_is_left_as_it_was(open_terminal: Open) -> None:
    terminal = open_terminal()
    terminal.wait_for("There are no runs yet", "Quit")

    terminal.press("q")

    assert terminal.wait_for_exit() == 0
    assert terminal.settings == terminal.modes
    for ending in (LEAVES_ALTERNATE_SCREEN, SHOWS_CURSOR, IGNORES_MOUSE):
        assert ending in terminal.output.rpartition(b"Keys")[2]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(
    ("preset", "floor"), [("digits-cnn", 0.97), ("adult-mlp", 0.845)], ids=["digits", "adult"]
)
def test_shipped_presets_reach_their_figures_from_the_keyboard(
    preset: str, floor: float, open_terminal: Open, dltui: Call, real_data: Path
) -> None:
    terminal = open_terminal(folder=real_data)
    terminal.wait_for("There are no runs yet", "Quit")

    start_preset(terminal, preset)
    terminal.wait_for("finished")

    report = json.loads(dltui("show", preset, "--json").stdout)["report"]
    assert report["metrics"]["test"]["accuracy"] >= floor
