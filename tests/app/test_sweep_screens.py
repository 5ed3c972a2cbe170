"""Sweeps on the screen: ranked live, drawn, started, stopped, saved as a preset."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from engine.config.presets import find_preset, load_preset
from engine.files.paths import presets_folder, runs_folder, sweeps_folder
from engine.runs.directory import RunDirectory, all_runs
from engine.sweep import compose
from engine.sweep.directory import SweepConfig, SweepDirectory
from engine.sweep.space import Choice, Range
from engine.sweep.table import SweepTable, TrialRow
from tui.app import DltuiApp
from tui.charts.chart import Chart
from tui.screens.dialogs.pick import PickScreen
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.sweeps.new_sweep import NewSweepScreen
from tui.screens.sweeps.scatter import scatter
from tui.screens.sweeps.screen import SweepsScreen
from tui.screens.sweeps.sweep import SweepScreen
from tui.settings import Settings
from tui.widgets.listing import Listing

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "200x50": (200, 50)}
SPACE = {"train.learning_rate": "1e-4..1e-1:log", "train.optimizer": "adamw,sgd"}
RATES = ("0.003", "0.0005", "0.02", "0.09", "0.001")


def make_sweep(name: str = "digits-sweep", **changes: Any) -> SweepDirectory:
    """A sweep with a few trials and no live process."""
    base = load_preset(find_preset("digits-cnn"), [])
    config = SweepConfig(name=name, base=base.values(), space=SPACE, trials=10)
    sweep = SweepDirectory.create(sweeps_folder(), config)
    run = RunDirectory.create(runs_folder(), base.override(["train.learning_rate=0.09"]))
    trials = tuple(
        TrialRow(
            number=number,
            state="pruned" if number == 1 else "complete",
            values={"train.learning_rate": rate, "train.optimizer": ("adamw", "sgd")[number % 2]},
            value=0.9 + 0.01 * number,
            run=run.id if number == 3 else f"20200101-120000-digits-sweep-{number}",
            preset=number == 0,
        )
        for number, rate in enumerate(RATES[:4])
    )
    shares = {"train.learning_rate": 0.83, "train.optimizer": 0.17}
    table = SweepTable(metric="accuracy", trials=trials, importance=shares)
    sweep.write_table(replace(table, **changes))
    return sweep


def ranked(pilot: Pilot[Any]) -> list[int]:
    return [row.number for row in pilot.app.screen.query_one(Listing).items]


async def shown(pilot: Pilot[Any], until: Any, screen: Any) -> None:
    pilot.app.push_screen(screen)
    await until(pilot, lambda: any(listing.items for listing in screen.query(Listing)))


async def test_trials_are_ranked_as_they_come(until, text_of) -> None:
    sweep = make_sweep()
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        await shown(pilot, until, SweepScreen(sweep))
        assert ranked(pilot) == [3, 2, 1, 0]
        table = sweep.table()
        best = TrialRow(4, "complete", {"train.learning_rate": "0.001"}, 0.99)
        sweep.write_table(replace(table, trials=(*table.trials, best)))
        await until(pilot, lambda: ranked(pilot) == [4, 3, 2, 1, 0])
        text = text_of(pilot)
    assert "ended, 5 of 10 trials" in text
    assert "= the preset: 0.9000" in text
    assert "83%" in text


async def test_the_chart_shows_the_metric_against_each_parameter(until, text_of) -> None:
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        await shown(pilot, until, SweepScreen(make_sweep()))
        chart = pilot.app.screen.query_one(Chart)
        await until(pilot, lambda: chart._title.endswith("over learning_rate, log"))
        await until(pilot, lambda: {"0.001", "0.01", "0.1"} <= set(text_of(pilot).split()))
        await pilot.press("m")
        assert chart._title.endswith("over optimizer")
        await until(pilot, lambda: "adamw sgd" in " ".join(text_of(pilot).split()))
        await pilot.press("m")
        assert chart._title.endswith("over learning_rate, log")


def test_points_lie_at_the_values_of_the_trials() -> None:
    table = make_sweep().table()
    drawn = scatter(table, Range("train.learning_rate", 1e-4, 1e-1, log=True))
    complete, pruned = drawn.curves
    assert [x for x, _ in complete.points] == pytest.approx([-2.5229, -1.6990, -1.0458], abs=1e-4)
    assert [y for _, y in pruned.points] == [0.91]
    assert drawn.best == pytest.approx((-1.0458, 0.93), abs=1e-4)
    chosen = scatter(table, Choice("train.optimizer", ("adamw", "sgd")))
    assert (chosen.axis, chosen.labels) == ("optimizer", {0.0: "adamw", 1.0: "sgd"})
    assert {x for curve in chosen.curves for x, _ in curve.points} == {0.0, 1.0}


async def test_the_best_becomes_a_preset(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await shown(pilot, until, SweepScreen(make_sweep()))
        await pilot.press("S")
        await until(pilot, lambda: pilot.app.screen.query("#name"))
        pilot.app.screen.query_one("#name", Input).value = "better-digits"
        await pilot.press("enter")
        await until(pilot, lambda: (presets_folder() / "better-digits.toml").exists())
    assert load_preset(find_preset("better-digits")).train.learning_rate == 0.09


async def test_enter_opens_the_run_of_the_trial(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await shown(pilot, until, SweepScreen(make_sweep()))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, MonitorScreen))


async def test_a_search_that_failed_says_why(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await shown(pilot, until, SweepScreen(make_sweep(problem="[b]no room[/b]")))
        await until(pilot, lambda: "! [b]no room[/b]" in text_of(pilot))


async def test_a_sweep_is_begun_followed_and_stopped(until) -> None:
    pytest.importorskip("optuna")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await pilot.press("W")
        await until(pilot, lambda: isinstance(pilot.app.screen, SweepsScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewSweepScreen))
        boxes = pilot.app.screen.query_one
        boxes("#preset", Input).value = "wine-mlp"
        boxes("#space", Input).value = "train.learning_rate=1e-3..1e-1:log train.epochs=5000"
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, SweepScreen))
        screen = pilot.app.screen
        await until(pilot, lambda: screen.query_one(Listing).items)
        await until(pilot, lambda: all_runs(runs_folder())[0].events.path.exists())
        await pilot.press("s")
        await until(pilot, lambda: not screen._searching)
    (run,) = all_runs(runs_folder())
    assert run.config.read().train.epochs == 5000
    assert run.status.state().ended


async def test_a_sweep_of_a_run_begins_with_its_settings_and_fields_are_chosen(
    until, text_of
) -> None:
    base = load_preset(find_preset("wine-mlp"), [])
    run = RunDirectory.create(runs_folder(), base)
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(MonitorScreen(run))
        await until(pilot, lambda: isinstance(pilot.app.screen, MonitorScreen))
        await pilot.press("W")
        await until(pilot, lambda: isinstance(pilot.app.screen, SweepsScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewSweepScreen))
        dialog = pilot.app.screen
        assert dialog.query_one("#preset", Input).value == str(run.path / "config.toml")
        await pilot.press("tab", "ctrl+u", "ctrl+o")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
        await pilot.press(*"hidden", "enter")
        await until(pilot, lambda: pilot.app.screen is dialog)
        assert dialog.query_one("#space", Input).value == "model.hidden="
        await pilot.press("shift+tab", "ctrl+o")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickScreen))
        await pilot.press(*"adult", "enter")
        await until(pilot, lambda: pilot.app.screen is dialog)
        assert dialog.query_one("#preset", Input).value.startswith("adult")


async def test_a_sweep_without_optuna_is_refused_before_anything_is_typed(
    until, text_of, monkeypatch
) -> None:
    monkeypatch.setattr(compose, "find_spec", lambda name: None)
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(NewSweepScreen())
        await until(pilot, lambda: "! A sweep needs optuna" in text_of(pilot))


@pytest.mark.parametrize(
    ("box", "value", "told"),
    [
        ("preset", "no-such", "no preset"),
        ("space", "train.epochs=3", "nothing to search"),
        ("space", "train.learning_rate=9..1", "train.learning_rate"),
        ("space", "train.epochs='1,2", "cannot be read"),
        ("trials", "0", "trials"),
        ("parallel", "", "whole number"),
    ],
)
async def test_what_is_wrong_is_reported_before_anything_is_written(
    until, text_of, box: str, value: str, told: str
) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        pilot.app.push_screen(NewSweepScreen())
        await until(pilot, lambda: pilot.app.screen.query("#preset"))
        pilot.app.screen.query_one(f"#{box}", Input).value = value
        pilot.app.screen.query_one("#name", Input).focus()
        await pilot.press("enter")
        await until(pilot, lambda: told in text_of(pilot))
    assert not sweeps_folder().exists()


async def test_all_sweeps_are_listed_and_one_is_opened(until, text_of) -> None:
    make_sweep("first")
    make_sweep("second")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await shown(pilot, until, SweepsScreen())
        text = text_of(pilot)
        assert text.index("second") < text.index("first")
        assert "0.9300" in text
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, SweepScreen))


@pytest.fixture(params=SIZES)
def looks(
    request: pytest.FixtureRequest,
    until: Any,
    text_of: Any,
    same_machine: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """A function that compares a screen with its snapshot, as in ``test_snapshots``."""
    monkeypatch.setattr(Input, "cursor_blink", False)

    async def compare(screen: Any, part: str) -> None:
        app = DltuiApp(settings=Settings(theme="dark", characters="all"))
        async with app.run_test(size=SIZES[request.param]) as pilot:
            await until(pilot, lambda: same_machine(pilot))
            app.push_screen(screen)
            await until(pilot, lambda: part in text_of(pilot))
            await pilot.pause(0.3)
            picture = app.export_screenshot()
        kept = SNAPSHOTS / f"{request.node.originalname[5:]}-{request.param}.svg"
        if os.environ.get("DLTUI_NEW_SNAPSHOTS"):
            kept.write_text(picture)
        new = tmp_path / kept.name
        new.write_text(picture)
        assert kept.read_text() == picture, f"{new} does not look like {kept}"

    return compare


async def test_a_sweep_of_digits(looks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunDirectory, "create", old_run)
    await looks(SweepScreen(make_sweep()), "● complete")


async def test_a_sweep_without_trials(looks) -> None:
    sweep = make_sweep(trials=(), importance={})
    await looks(SweepScreen(sweep), "It takes a few trials")


async def test_a_new_sweep(looks) -> None:
    await looks(NewSweepScreen(), "enter begins")


async def test_no_sweeps(looks) -> None:
    await looks(SweepsScreen(), "There are no sweeps yet")


def old_run(folder: Path, config: Any) -> RunDirectory:
    """A run whose name is always the same."""
    del folder, config
    return RunDirectory(Path("20200101-120000-digits-sweep-3"))
