"""Runs that end while the program is open are reported once, on whatever screen."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest

from engine.processes.identity import ProcessIdentity
from engine.runs.directory import RunDirectory
from engine.runs.events import Event, EventLog, Failed, Stalled
from engine.runs.summary import summarize
from tui.app import DltuiApp
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.runs.screen import RunsScreen


@pytest.fixture
def going(make_run: Any, training: Any) -> Callable[[str], RunDirectory]:
    """A function that makes a run which trains."""

    def make(name: str) -> RunDirectory:
        run: RunDirectory = make_run(name, training(trained=2))
        run.status.set_worker(ProcessIdentity.own())
        return run

    return make


def end(run: RunDirectory, event: Event) -> None:
    with EventLog(run.events.path) as log:
        log.write(event)


async def test_runs_that_end_are_told_once_also_behind_another_screen(
    going, finished, until, monkeypatch
) -> None:
    sent: list[str] = []
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("tui.screens.runs.endings._SECONDS", 0.1)
    monkeypatch.setattr(
        "tui.screens.runs.endings.write_sequence", lambda app, text: sent.append(text)
    )
    listed, failing = going("listed"), going("failing")
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        home = next(one for one in app.screen_stack if isinstance(one, RunsScreen))
        await until(pilot, lambda: len(home._endings._running) == 2)
        started = going("started")
        app.push_screen(MonitorScreen(started))
        await until(pilot, lambda: len(home._endings._running) == 3)
        for run in (listed, started):
            end(run, finished(0.5))
        end(failing, Failed(message="no"))
        await until(pilot, lambda: len(sent) == 3)
        assert not home._endings._running
        app.preferences.choose(desktop_notifications=False)
        later = going("later")
        home._endings.watch([summarize(later)])
        end(later, finished(0.5))
        await until(pilot, lambda: "later" not in "".join(home._endings._running))
        await pilot.pause(0.1)
    assert sorted(sent) == [
        "\x1b]9;dltui failing: failed, accuracy 0.6000\x07",
        "\x1b]9;dltui listed: finished, accuracy 0.5000\x07",
        "\x1b]9;dltui started: finished, accuracy 0.5000\x07",
    ]


async def test_a_stall_is_told_once_and_not_again_as_the_end(going, until, monkeypatch) -> None:
    sent: list[str] = []
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("tui.screens.runs.endings._SECONDS", 0.1)
    monkeypatch.setattr(
        "tui.screens.runs.endings.write_sequence", lambda app, text: sent.append(text)
    )
    several, alone = going("several"), going("alone")
    end(several, Stalled(message="earlier"))
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        home = next(one for one in app.screen_stack if isinstance(one, RunsScreen))
        await until(pilot, lambda: len(home._endings._running) == 2)
        with EventLog(alone.events.path) as log:
            log.write(Stalled(message="no update"))
            log.write(Failed(message="no update"))
        end(several, Stalled(message="no update"))
        await until(pilot, lambda: len(sent) == 2)
        await until(pilot, lambda: len(home._endings._running) == 1)
        end(several, Failed(message="no"))
        await until(pilot, lambda: len(sent) == 3)
    assert sorted(sent) == [
        "\x1b]9;dltui alone: stalled: no update\x07",
        "\x1b]9;dltui several: failed, accuracy 0.6000\x07",
        "\x1b]9;dltui several: stalled: no update\x07",
    ]


async def test_a_run_that_is_deleted_while_it_is_open_is_said_to_be_gone(
    make_run, training, until, text_of
) -> None:
    run = make_run("going", training(trained=2))
    app = DltuiApp(run.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        shutil.rmtree(run.path)
        await until(pilot, lambda: "was deleted or moved" in text_of(pilot))
        assert "Step 20/40" in text_of(pilot)


async def test_a_run_with_a_broken_configuration_opens_with_the_reason(make_run, until) -> None:
    run = make_run("broken")
    (run.path / "config.toml").write_text('name = "broken"\n[task]\nkind = "[red]none"\n')
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.query("#runs").first().items)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MonitorScreen))
        assert "no task is called '[red]none'" in app.messages[-1].text
