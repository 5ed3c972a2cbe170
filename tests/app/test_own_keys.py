"""Keys and commands of the user's settings, on the screens."""

from __future__ import annotations

import sys

import psutil
from textual.widgets import Input

from engine.runs.annotations import read_annotations
from engine.runs.directory import RunDirectory
from engine.runs.events import Interrupted
from tui.app import DltuiApp
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.dialogs.keys import KeysScreen
from tui.screens.dialogs.output import OutputScreen
from tui.screens.monitor.screen import MonitorScreen
from tui.screens.runs.trash import TrashScreen
from tui.settings import CommandSettings, Settings
from tui.widgets.lines import Lines

MOVED = {"pin": "@", "trash": "f7", "delete": "ctrl+x", "find": "%"}


async def test_moved_keys_act_are_shown_and_free_the_old_ones(
    make_run, training, finished, until, text_of
) -> None:
    run = make_run("digits-run", [*training(), finished()])
    app = DltuiApp(settings=Settings(keys=MOVED))
    async with app.run_test(size=(120, 50)) as pilot:
        await until(pilot, lambda: "digits-run" in text_of(pilot) and "@ Pin" in text_of(pilot))
        await pilot.press("asterisk", "at")
        await until(pilot, lambda: read_annotations(run).pinned)
        await pilot.press("d", "ctrl+x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("n", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, KeysScreen))
        assert "@  Pin" in text_of(pilot)
        await pilot.press("escape", "f7")
        await until(pilot, lambda: isinstance(app.screen, TrashScreen))
    assert read_annotations(run).pinned


async def test_a_question_is_answered_by_y_and_n_whatever_was_moved(until, text_of) -> None:
    app = DltuiApp(settings=Settings(keys={"new": "f2", "log_scale": "f3"}))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: app.screen.is_mounted)
        answers: list[bool | None] = []
        for key in "ny":
            app.push_screen(ConfirmScreen("Sure?", risky=True), answers.append)
            await until(pilot, lambda: "Sure?" in text_of(pilot))
            assert "y  yes" in text_of(pilot)
            assert "n, enter  no" in text_of(pilot)
            await pilot.press(key)
            await until(pilot, lambda: "Sure?" not in text_of(pilot))
    assert answers == [False, True]


async def test_moved_keys_are_typed_as_they_are(make_run, training, until, text_of) -> None:
    make_run("digits-run", training())
    app = DltuiApp(settings=Settings(keys=MOVED))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "digits-run" in text_of(pilot))
        await pilot.press("percent_sign", *"@%*/d")
        await until(pilot, lambda: app.focused and isinstance(app.focused, Input))
        await until(pilot, lambda: app.focused.value == "@%*/d")


async def test_sentences_name_the_keys_that_were_moved(make_run, training, until, text_of) -> None:
    moved = {"new": "f2", "presets": "@", "all": "f4", "resume": "ctrl+y", "sweeps": "f7"}
    app = DltuiApp(settings=Settings(keys=moved))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "with data of your own" in text_of(pilot))
        assert " f2  with data of your own" in text_of(pilot)
        assert " @  from one of all presets" in text_of(pilot)
        await pilot.press("f7")
        await until(pilot, lambda: "Press  f2  to search" in text_of(pilot))
        await pilot.press("escape", "f2")
        await until(pilot, lambda: "more, f4 shows all" in text_of(pilot))
        await pilot.press("escape")
        stopped = Interrupted(step=10, seconds=1.0)
        app.push_screen(MonitorScreen(make_run("stopped", [*training(trained=1), stopped])))
        await until(pilot, lambda: "Interrupted; ^y resumes" in text_of(pilot))


async def test_a_conflict_is_reported_at_the_start(until, text_of) -> None:
    settings = Settings(keys={"pin": "d"}, commands={"mine": CommandSettings(key="s", run="true")})
    async with DltuiApp(settings=settings).run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "keys.pin" in text_of(pilot))
        await until(pilot, lambda: "commands.mine" in text_of(pilot))


def script(text: str) -> str:
    return f"{sys.executable} -c '{text}'"


async def test_a_command_shows_its_output_for_the_run_at_hand(
    make_run, training, finished, until, text_of
) -> None:
    run = make_run("digits-run", [*training(), finished()])
    run.report.path.write_text('{"metrics": {"test": {"loss": 1.0}}}')
    told = 'import sys; print("[b]", sys.argv[1:], "\\x1b[2J"); sys.exit(3)'
    commands = {
        "tell": CommandSettings(key="f5", run=f"{script(told)} {{run}} {{folder}}/x '$HOME;'"),
    }
    app = DltuiApp(settings=Settings(commands=commands))
    async with app.run_test(size=(200, 40), notifications=True) as pilot:
        await pilot.press("f5")
        await until(pilot, lambda: "digits-run" in text_of(pilot))
        await told_for(run, pilot, until, text_of)
        await pilot.press("enter")
        await until(pilot, lambda: "Summary" in text_of(pilot))
        await told_for(run, pilot, until, text_of)
        await pilot.press("question_mark")
        await until(pilot, lambda: "tell" in text_of(pilot))


async def told_for(run: RunDirectory, pilot, until, text_of) -> None:
    """Run the command that prints its arguments, and close its panel."""
    await pilot.press("f5")
    await until(pilot, lambda: "Exit status 3." in text_of(pilot))
    assert isinstance(pilot.app.screen, OutputScreen)
    assert "[b] ['" in text_of(pilot)
    assert "␛[2J" in text_of(pilot)
    assert list(pilot.app.screen._lines) == [f"[b] {[run.id, f'{run.path}/x', '$HOME;']} \x1b[2J"]
    await pilot.press("escape")


async def test_a_closed_panel_ends_its_program(make_run, training, until, text_of) -> None:
    make_run("digits-run", training())
    wait = 'import os, time; print("pid", os.getpid(), flush=True); time.sleep(600)'
    commands = {"wait": CommandSettings(key="f5", run=script(wait))}
    app = DltuiApp(settings=Settings(commands=commands))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "digits-run" in text_of(pilot))
        await pilot.press("f5")
        await until(pilot, lambda: "pid " in text_of(pilot))
        process = app.screen._process
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, OutputScreen))
        await until(pilot, lambda: process.poll() is not None)
    assert not psutil.pid_exists(process.pid)


async def test_a_program_that_is_missing_is_told(make_run, training, until, text_of) -> None:
    make_run("digits-run", training())
    commands = {"none": CommandSettings(key="f5", run="/nowhere/tool {run}")}
    async with DltuiApp(settings=Settings(commands=commands)).run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "digits-run" in text_of(pilot))
        await pilot.press("f5")
        await until(pilot, lambda: "Cannot start /nowhere/tool: No such file" in text_of(pilot))


async def test_many_lines_at_once_are_laid_out_together(
    make_run, training, until, text_of, monkeypatch
) -> None:
    make_run("digits-run", training())
    laid_out = []
    show = Lines.show_lines
    monkeypatch.setattr(
        Lines, "show_lines", lambda self, lines: (laid_out.append(len(lines)), show(self, lines))
    )
    commands = {"count": CommandSettings(key="f5", run="seq 1 3000")}
    async with DltuiApp(settings=Settings(commands=commands)).run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "digits-run" in text_of(pilot))
        await pilot.press("f5")
        await until(pilot, lambda: "Exit status 0." in text_of(pilot))
        assert "3000" in text_of(pilot)
    assert len(laid_out) < 100
    assert max(laid_out) == 2001, "the newest lines are kept, and the exit status"
