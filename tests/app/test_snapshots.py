"""The looks of screens, as reviewed by eye, in pictures that are kept in ``snapshots``.

``DLTUI_NEW_SNAPSHOTS=1 pytest tests/app/test_snapshots.py`` takes new ones, to be looked at.
Empty, typical and extreme content at 80×24 and 120×40; nothing in the pictures depends on the
time, the folder or the machine.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.app import App

from engine.advisor import Superseded
from engine.config import RunConfig
from engine.events import Event, EventLog
from engine.locations import runs_folder
from engine.presets import find_preset, load_preset
from engine.run_directory import RunDirectory
from engine.views import Lines, Matrix, Table, Texts
from tui.app import DltuiApp
from tui.screens.adapters import AdaptersScreen
from tui.screens.confirm import ConfirmScreen
from tui.screens.monitor import MonitorScreen
from tui.screens.new_run import NewRunScreen
from tui.screens.presets import PresetsScreen
from tui.screens.results import ResultsScreen
from tui.screens.save_preset import SavePresetScreen
from tui.settings import Settings
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.form.several import SeveralScreen

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIZES = {"80x24": (80, 24), "120x40": (120, 40)}
NEW_YEAR_2020 = 1_577_880_000.0
LONG = "a name that is much longer than any place for it, [b]and more[/b] \x1b[2J " * 3


def answered(question: str, **arguments: Any) -> dict[str, Any]:
    """An advisor whose answer about the data is always the same; of costs it says nothing."""
    if question != "preview":
        raise Superseded("")
    columns = [
        {"name": "image", "type": "image", "role": "input", "missing": 0, "distinct": 1797,
         "example": "8×8 grey"},
        {"name": "label", "type": "text", "role": "target", "missing": 0, "distinct": 10,
         "example": "[3]"},
    ]  # fmt: skip
    return {
        "columns": ["image", "label"],
        "rows": [["8×8 grey", str(digit)] for digit in range(5)],
        "problem": "",
        "summary": {
            "source": "digits", "rows": {"train": 1257, "validation": 270, "test": 270},
            "facts": {"size": "8×8"}, "skips": [], "notes": [], "columns": columns,
            "classes": {str(digit): 120 + digit for digit in range(10)},
        },
    }  # fmt: skip


@pytest.fixture
def old_run(make_run: Any) -> Callable[..., RunDirectory]:
    """Writes a run of New Year 2020, whose name is the same wherever and whenever it is made."""

    def make(name: str, events: Iterator[Event] | list[Event]) -> RunDirectory:
        run = make_run(name)
        folder = run.path.rename(runs_folder() / f"20200101-120000-{name}")
        run = RunDirectory(folder)
        with EventLog(run.events) as log:
            for number, event in enumerate(events):
                log.write(replace(event, time=NEW_YEAR_2020 + number))
        return run

    return make


def write_report(run: RunDirectory, name: str, views: list[Any]) -> None:
    """The report of a run, with ``name`` wherever one is."""
    run.report.write_text(
        json.dumps(
            {
                "run": run.id, "metric": "accuracy", "ending": "completed", "best_epoch": 3.0,
                "epochs": 4, "seconds": 75.0,
                "metrics": {
                    "validation": {"accuracy": 0.91, "loss": 0.3},
                    "test": {"accuracy": 0.9625, "loss": 0.2881},
                },
                "baseline": {"name": name, "metrics": {"accuracy": 0.8125}},
                "views": [view.record() for view in views],
            }
        )
    )  # fmt: skip


@pytest.fixture(params=SIZES)
def looks(request: pytest.FixtureRequest, until: Any, tmp_path: Path) -> Any:
    """Compares a screen with its picture, after keys and once a text is there."""

    async def compare(screen: Any, *keys: str, shown: str = "") -> None:
        app = DltuiApp(settings=Settings(theme="dark", characters="all"))
        async with app.run_test(size=SIZES[request.param]) as pilot:
            await until(pilot, lambda: app.screen.is_mounted)
            if screen is not None:
                app.push_screen(screen() if callable(screen) else screen)
            await pilot.pause(0.3)
            for key in keys:
                await pilot.press(key)
                await pilot.pause(0.1)
            await until(pilot, lambda: shown in text_of(app))
            await pilot.pause(0.3)
            picture = app.export_screenshot()
        name = request.node.originalname.removeprefix("test_")
        kept = SNAPSHOTS / f"{name}-{request.param}.svg"
        if os.environ.get("DLTUI_NEW_SNAPSHOTS"):
            kept.write_text(picture)
        new = tmp_path / kept.name
        new.write_text(picture)
        assert kept.read_text() == picture, f"{new} does not look like {kept}"

    return compare


def text_of(app: App[Any]) -> str:
    """Everything that can be read on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def preset_values(**changes: Any) -> dict[str, Any]:
    """The values of a preset."""
    return load_preset(find_preset("digits-cnn")).values() | changes


async def test_home_without_runs(looks) -> None:
    await looks(None, shown="There are no runs yet")


async def test_home_with_runs(looks, old_run, training, finished) -> None:
    old_run("digits-cnn", [*training(), finished()])
    old_run("a-name-of-the-greatest-length-that-names-may-have-" + "x" * 13, training())
    await looks(None, shown="accuracy")


async def test_a_new_run_from_nothing(looks) -> None:
    await looks(lambda: NewRunScreen(ask=answered), shown="$ dltui run")


async def test_a_new_run_from_a_preset_with_a_change(looks) -> None:
    screen = NewRunScreen(preset_values(), "digits-cnn", ask=answered)
    await looks(screen, "5", "enter", "ctrl+u", "7", "enter", shown="train.epochs=7")


async def test_a_new_run_with_a_wrong_value(looks) -> None:
    screen = NewRunScreen(preset_values(title=LONG[:200]), "digits-cnn", ask=answered)
    await looks(screen, "5", "enter", "ctrl+u", "0", "enter", shown="is not allowed")


async def test_what_a_field_means(looks) -> None:
    screen = NewRunScreen(preset_values(), "digits-cnn", ask=answered)
    await looks(screen, "5", "j", "j", "j", "i", shown="esc closes")


async def test_the_command_for_a_run(looks, monkeypatch) -> None:
    for variable in ("TMUX", "STY", "VTE_VERSION", "TERM_PROGRAM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = NewRunScreen(preset_values(title=LONG[:200]), "digits-cnn", ask=answered)
    await looks(screen, "c", shown="esc closes")


async def test_presets(looks) -> None:
    await looks(PresetsScreen, "slash", *"digits", "enter", shown="digits-cnn")


async def test_saving_a_preset(looks) -> None:
    screen = SavePresetScreen(RunConfig.parse(preset_values(title=LONG[:200])))
    await looks(screen, "tab", "shift+tab", shown="enter saves")


async def test_a_choice_of_one(looks) -> None:
    options = {"one": "the first", "[b]two[/b]": LONG, "\x1b[2J": "", "": "none of them"}
    await looks(ChoiceScreen("train.[b]field", options, "one", True), shown="the first")


async def test_a_choice_of_several(looks) -> None:
    options = {f"layer.{place}.[attention]": LONG[:place] for place in range(40)}
    screen = SeveralScreen("adapter.target_modules", options, ["layer.2.[attention]"])
    await looks(screen, "j", "space", shown="enter takes")


async def test_a_question(looks) -> None:
    await looks(ConfirmScreen(f"Delete {LONG}?"), shown="n  no")


async def test_the_keys_of_a_screen(looks) -> None:
    screen = NewRunScreen(preset_values(), "digits-cnn", ask=answered)
    await looks(screen, "question_mark", shown="esc closes")


async def test_results(looks, old_run, training, finished) -> None:
    run = old_run("digits-cnn", [*training(), finished()])
    matrix = Matrix(
        "Confusion",
        list("0123456789"),
        [[9 * (i == j) + (i + 1 == j) for j in range(10)] for i in range(10)],
    )
    write_report(run, "most frequent class", [matrix])
    await looks(ResultsScreen(run), "2", shown="rows: truth")


async def test_results_of_many_long_names(looks, old_run, training, finished) -> None:
    run = old_run("digits-cnn", [*training(), finished()])
    labels = [f"{LONG[:40]} {place}" for place in range(30)]
    views = [
        Matrix(
            "Confusion " + LONG, labels, [[99999 * (i == j) for j in range(30)] for i in range(30)]
        ),
        Table("Classes", ["class", LONG], [[label, 0.875] for label in labels]),
        Lines("Forecast", [0, 1, 2], {LONG: [1.0, 2.0, 3.0], "y": [None, 2.5, 3.0]}),
        Texts("Answers", [{"question": LONG * 4, "answer": LONG}]),
    ]
    write_report(run, LONG, views)
    await looks(ResultsScreen(run), "3", shown="class")


async def test_a_finished_run_in_the_monitor(looks, old_run, training, finished) -> None:
    run = old_run("digits-cnn", [*training(), finished()])
    write_report(run, "boosting", [])
    await looks(MonitorScreen(run), shown="best")


async def test_no_adapters(looks) -> None:
    await looks(AdaptersScreen)
