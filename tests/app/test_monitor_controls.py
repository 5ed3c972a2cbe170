"""Requests to a run are shown as pending on the monitor, then as the run answers them."""

from __future__ import annotations

import pytest
from textual.drivers.headless_driver import HeadlessDriver

from engine.runs.control import CONTINUE, EPOCHS, LEARNING_RATE, PAUSE, Request
from engine.runs.directory import RunDirectory
from engine.runs.events import Controlled, Event, EventLog, Failed, Finished, Progress
from tui.app import DltuiApp
from tui.screens.dialogs.ask_value import AskValueScreen
from tui.screens.dialogs.keys import KeysScreen
from tui.screens.monitor.screen import MonitorScreen


def append(run: RunDirectory, *events: Event) -> None:
    with EventLog(run.events.path) as log:
        for event in events:
            log.write(event)


def requests(run: RunDirectory) -> list[Request]:
    return list(run.requests.take())


def progress(phase: str) -> Progress:
    return Progress(
        step=20, steps=40, epoch=2.0, epochs=4, loss=None, learning_rate=1e-3, phase=phase
    )


@pytest.fixture
def going(make_run, training):
    """A run of four epochs after its second, with a live worker."""
    return make_run("going", training(trained=2), working=True)


async def test_a_request_is_shown_as_asked_until_the_run_confirms_it(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await pilot.press("S")
        await until(pilot, lambda: "… checkpoint: asked" in text_of(pilot))
        append(going, Controlled(request="checkpoint", message="Checkpoint written."))
        await until(pilot, lambda: "✓ Checkpoint written." in text_of(pilot))
        assert "asked" not in text_of(pilot)


async def test_the_end_takes_the_place_of_an_answer(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await pilot.press("S")
        append(going, Controlled(request="checkpoint", message="Checkpoint written."))
        await until(pilot, lambda: "✓ Checkpoint written." in text_of(pilot))
        append(going, Failed(message="No memory."))
        await until(pilot, lambda: "No memory.  c opens its form." in text_of(pilot))
        assert "Checkpoint written." not in text_of(pilot)


async def test_a_refusal_is_shown_with_its_reason(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await pilot.press("V")
        append(going, Controlled(request="evaluate", message="[b]No data.", accepted=False))
        await until(pilot, lambda: "✗ evaluate: [b]No data." in text_of(pilot))


async def test_a_learning_rate_is_checked_while_it_is_typed(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await pilot.press("L", *["backspace"] * 8, *"-1")
        await until(pilot, lambda: "Type a number above 0" in text_of(pilot))
        await pilot.press("enter")
        assert isinstance(app.screen, AskValueScreen)
        await pilot.press("backspace", "backspace", *"3e-4", "enter")
        await until(pilot, lambda: "learning rate 0.0003: asked" in text_of(pilot))
        await until(pilot, lambda: list(going.requests.path.glob("*.json")))
    assert requests(going) == [Request(LEARNING_RATE, {"value": 3e-4})]


async def test_epochs_are_not_fewer_than_were_begun(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await pilot.press("E", "backspace", *"1")
        await until(pilot, lambda: "it cannot have fewer" in text_of(pilot))
        await pilot.press("backspace", *"12", "enter")
        await until(pilot, lambda: list(going.requests.path.glob("*.json")))
    assert requests(going) == [Request(EPOCHS, {"value": 12})]


async def test_leaving_a_paused_run_says_that_it_stays_paused(going, until, text_of) -> None:
    append(going, progress("paused"))
    app = DltuiApp(going.id)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: "‖ paused" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "going stays paused in the background" in text_of(pilot))


async def test_one_key_pauses_and_continues(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "space Pause" in text_of(pilot))
        await pilot.press("space")
        append(going, Controlled(request=PAUSE, message="Paused."), progress("paused"))
        await until(
            pilot, lambda: "‖ paused" in text_of(pilot) and "space Continue" in text_of(pilot)
        )
        assert "✓ Paused." in text_of(pilot)
        await pilot.press("space")
        append(going, Controlled(request=CONTINUE, message="Goes on."), progress("train"))
        await until(
            pilot, lambda: "▶ running" in text_of(pilot) and "space Pause" in text_of(pilot)
        )
        await until(pilot, lambda: len(list(going.requests.path.glob("*.json"))) == 2)
    assert [request.action for request in requests(going)] == [PAUSE, CONTINUE]


async def test_the_end_is_reported_on_whatever_screen_is_on_top(
    going, until, text_of, finished, monkeypatch
) -> None:
    bells = []
    app = DltuiApp(going.id)
    monkeypatch.setattr(app, "bell", lambda: bells.append(True))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        append(going, finished())
        await until(pilot, lambda: "going finished: accuracy 0.9625" in text_of(pilot))
        assert isinstance(app.screen, KeysScreen)
    assert bells == [True]


async def test_a_run_that_had_ended_rings_no_bell(
    make_run, training, finished, until, text_of, monkeypatch
) -> None:
    run = make_run("over", [*training(), finished()])
    bells = []
    app = DltuiApp()
    monkeypatch.setattr(app, "bell", lambda: bells.append(True))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.push_screen(MonitorScreen(run))
        await until(pilot, lambda: "✓ finished" in text_of(pilot))
        await pilot.pause(1.0)
    assert not bells


async def test_a_request_that_comes_too_late_is_reported(going, until, text_of) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await pilot.press("S")
        append(going, Failed(message="No memory."))
        await until(pilot, lambda: "going failed: No memory." in text_of(pilot))
        await until(pilot, lambda: "ended before it did this: checkpoint" in text_of(pilot))


async def test_a_request_whose_answer_is_given_after_the_end_is_reported(
    going, until, text_of
) -> None:
    app = DltuiApp(going.id)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await pilot.press("s")
        await until(pilot, lambda: "Stop going?" in text_of(pilot))
        append(going, Failed(message="No memory."))
        await until(pilot, lambda: "going failed: No memory." in text_of(pilot))
        await pilot.press("y")
        await until(pilot, lambda: "ended before it did this: stop" in text_of(pilot))
        assert "stop: asked" not in text_of(pilot)
    assert not requests(going)


@pytest.fixture
def written(monkeypatch):
    """The output to the terminal besides the screens."""
    monkeypatch.setenv("TERM", "xterm-256color")
    sent: list[str] = []
    monkeypatch.setattr(HeadlessDriver, "write", lambda _, data: sent.append(data))
    return sent


async def test_the_terminals_title_shows_progress_and_is_given_back(
    make_run, training, until, text_of, written
) -> None:
    run = make_run("titled", training(trained=2), working=True)
    app = DltuiApp(run.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "\x1b[22;0t\x1b]0;▶ 50% titled\x07" in written)
        append(run, Finished(step=40, seconds=40.0))
        await until(pilot, lambda: "\x1b]0;✓ titled\x07" in written)
        await pilot.press("escape")
        await until(pilot, lambda: written[-1].endswith("\x1b[23;0t"))


async def test_a_terminal_without_a_title_is_sent_none(
    going, until, text_of, written, monkeypatch
) -> None:
    monkeypatch.setenv("TERM", "linux")
    app = DltuiApp(going.id)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Step 20/40" in text_of(pilot))
        await pilot.pause(0.5)
    assert not any("\x1b]0;" in data for data in written)
