"""From a run back to its form, and to its row in the list."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from engine.runs.directory import RunDirectory
from engine.runs.events import Event, EventLog, Failed
from tui.app import DltuiApp
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.new_run.screen import NewRunScreen
from tui.screens.runs.run_listing import RunListing
from tui.screens.runs.screen import RunsScreen
from tui.widgets.form.row import FieldRow

WRONG = "No column holds images. Set task.image."


def failed(run: RunDirectory, message: str) -> RunDirectory:
    with EventLog(run.events.path) as log:
        log.write(Failed(message=message))
    return run


def field(pilot: Pilot[Any]) -> str:
    """The name of the field with the focus; empty outside of a form."""
    focused = pilot.app.focused
    return focused.view.spec.name if isinstance(focused, FieldRow) else ""


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
@pytest.mark.parametrize("screen", ["runs", "monitor"])
async def test_a_failed_run_leads_to_its_form_with_the_wrong_field_selected(
    screen, size, make_run, training, until, text_of
) -> None:
    run = failed(make_run("digits", training(trained=1)), WRONG)
    app = DltuiApp()
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.screen.query(RunListing) and "failed" in text_of(pilot))
        if screen == "monitor":
            app.push_screen(MonitorScreen(run))
            await until(pilot, lambda: "c opens its form" in text_of(pilot))
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        await until(pilot, lambda: field(pilot) == "task.image")
        await until(pilot, lambda: f"! {WRONG}" in text_of(pilot))
        await pilot.press("enter", *"picture", "enter")
        await until(pilot, lambda: WRONG not in text_of(pilot))


async def test_a_failure_of_no_field_is_said_and_the_form_begins_at_its_top(
    make_run, training, until, text_of
) -> None:
    run = failed(make_run("digits", training(trained=1)), "The GPU is gone.")
    app = DltuiApp()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        app.push_screen(MonitorScreen(run))
        await until(pilot, lambda: "c opens its form" in text_of(pilot))
        await pilot.press("c")
        await until(pilot, lambda: "The run failed: The GPU is gone." in text_of(pilot))
        assert field(pilot) == "domain"


async def test_a_failure_before_the_first_update_is_not_shown_as_work_under_way(
    make_run, training, until, text_of
) -> None:
    run = failed(make_run("digits", list(training(trained=0))[:1]), "The file is missing.")
    app = DltuiApp(run.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "The file is missing." in text_of(pilot))
        assert "ended while reading the data" in text_of(pilot)


async def test_the_key_of_a_running_run_makes_a_checkpoint(make_run, training, until) -> None:
    events: list[Event] = list(training(trained=1))
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        screen = MonitorScreen(make_run("digits", events))
        app.push_screen(screen)
        await until(pilot, lambda: screen.is_mounted)
        assert screen.check_action("do", ("clone",)) is screen._shown[0].ended


def current(app: DltuiApp) -> str:
    """The name of the run at the cursor of the home screen."""
    listing = next(one for one in app.screen_stack if isinstance(one, RunsScreen))._listing
    return listing.current.name if listing.current else ""


async def test_the_cursor_stands_on_the_run_that_was_left(
    make_run, training, finished, until
) -> None:
    runs = {name: make_run(name, [*training(), finished()]) for name in ("old", "middle", "new")}
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: current(app) != "")
        before = current(app)
        other = next(name for name in runs if name != before)
        app.push_screen(MonitorScreen(runs[other]))
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        await pilot.press("escape")
        await until(pilot, lambda: current(app) == other)


async def test_the_cursor_waits_for_a_run_that_was_just_started(
    make_run, training, finished, until
) -> None:
    for name in ("one", "two"):
        make_run(name, [*training(), finished()])
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: current(app) != "")
        await pilot.press("G")
        app.push_screen(MonitorScreen(make_run("started", training(trained=1))))
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        await pilot.press("escape")
        await until(pilot, lambda: current(app) == "started")


async def test_a_cursor_that_was_moved_stays(make_run, training, finished, until) -> None:
    for name in ("one", "two"):
        make_run(name, [*training(), finished()])
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: current(app) != "")
        listing = app.screen.query_one(RunListing)
        later = make_run("later", [*training(), finished()])
        app.screen._target.choose(later.id)
        await pilot.press("G")
        last = current(app)
        await until(pilot, lambda: len(listing.items) == 3)
        assert current(app) == last
