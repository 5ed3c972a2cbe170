"""Keys that arrive all at once, as over a slow connection, act as if typed one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from tui.app import DltuiApp
from tui.screens.new_run.draft_form import DraftForm
from tui.screens.new_run.screen import NewRunScreen
from tui.screens.presets.screen import PresetsScreen
from tui.screens.runs.screen import RunsScreen
from tui.terminal.keyboard import KeysInOrder
from tui.widgets.form.form import Form
from tui.widgets.form.row import FieldRow
from tui.widgets.listing import Listing


def field(app: DltuiApp) -> tuple[str, str]:
    """The focused field and its text; empty before one has the focus."""
    row = app.screen.query_one(Form).current
    return (row.view.spec.name, row.view.text) if row is not None else ("", "")


@asynccontextmanager
async def opened(
    until: Any, first: str | None = None
) -> AsyncIterator[tuple[DltuiApp, Pilot[Any]]]:
    """The running program with its first screen mounted."""
    app = DltuiApp(first)
    async with app.run_test() as pilot:
        screen = NewRunScreen if first == "new" else RunsScreen
        await until(pilot, lambda: isinstance(app.screen, screen))
        yield app, pilot


async def test_words_behind_the_key_for_a_filter_are_no_commands(
    make_run: Any, until: Any, text_of: Any, type_ahead: Any
) -> None:
    make_run("digits")
    make_run("other")
    async with opened(until) as (app, pilot):
        await until(pilot, lambda: len(app.screen.query_one(Listing).items) == 2)
        type_ahead(pilot, *"/dig", "enter", "space")
        await until(pilot, lambda: "1 selected" in text_of(pilot))
        assert isinstance(app.screen, RunsScreen)
        assert app.screen.query_one("#filter", Input).value == "dig"


async def test_a_preset_is_found_and_taken_in_one_go(
    home: object, until: Any, type_ahead: Any
) -> None:
    async with opened(until, "new") as (app, pilot):
        await pilot.press("ctrl+o")
        await until(pilot, lambda: isinstance(app.screen, PresetsScreen))
        await until(pilot, lambda: app.screen.query_one(Listing).items)
        type_ahead(pilot, *"/etth1-lstm", "enter", "enter", "2")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        await until(pilot, lambda: field(app) == ("task.kind", "forecasting"))


async def test_each_key_for_the_next_field_moves_by_one(
    home: object, until: Any, type_ahead: Any
) -> None:
    async with opened(until, "new") as (app, pilot):
        names = [row.view.spec.name for row in app.screen.query_one(Form).rows]
        type_ahead(pilot, "4", "down", "j", "down", "up")
        await until(pilot, lambda: field(app)[0] == names[names.index("train.epochs") + 2])


async def test_each_key_for_the_next_value_moves_by_one(
    home: object, until: Any, type_ahead: Any
) -> None:
    async with opened(until, "new") as (app, pilot):
        app.screen.query_one(Form).go_to("compute.precision")
        await until(pilot, lambda: field(app) == ("compute.precision", "auto"))
        steps = list(app.screen.query_one(Form).current.view.options)
        type_ahead(pilot, "right", "l", "right", "left")
        await until(pilot, lambda: field(app)[1] == steps[2])


async def test_a_screen_that_opens_gets_the_keys_behind_the_one_that_opened_it(
    home: object, until: Any, type_ahead: Any
) -> None:
    async with opened(until) as (app, pilot):
        type_ahead(pilot, "n", "4", "enter", "backspace", "backspace", *"17", "enter", "down")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        await until(pilot, lambda: app.screen.query_one(Form).current)
        await until(pilot, lambda: field(app)[0] == "train.batch_size")
        views = {row.view.spec.name: row.view for row in app.screen.query_one(Form).rows}
        assert views["train.epochs"].text == "17"


async def test_a_form_that_is_still_filled_when_the_program_quits_is_left_as_it_is(
    home: object, until: Any
) -> None:
    async with opened(until, "new") as (app, _):
        form = app.screen.query_one(DraftForm)
        await form.remove_children(FieldRow)
        app.exit()
        await form.toggle_advanced()
        assert app.return_code == 0


async def test_keys_behind_the_one_that_quits_are_dropped(
    home: object, until: Any, type_ahead: Any
) -> None:
    async with opened(until) as (app, pilot):
        type_ahead(pilot, "ctrl+q", *"nqnqnq")
        await until(pilot, lambda: not app.is_running)
    assert app.return_code == 0


class Hangs(Widget, can_focus=True):
    """A widget whose key handler blocks until it is released."""

    freed: asyncio.Event

    async def on_key(self) -> None:
        await self.freed.wait()


class HangingApp(KeysInOrder):
    """One widget, and a key binding that the application handles first."""

    BINDINGS: ClassVar = [Binding("ctrl+q", "exit", "Quit", priority=True)]

    def compose(self) -> ComposeResult:
        widget = Hangs()
        widget.freed = asyncio.Event()
        yield widget

    def action_exit(self) -> None:
        hanging = self.query_one(Hangs).freed
        self.exit("freed already" if hanging.is_set() else "left")
        hanging.set()


async def test_what_hangs_does_not_take_the_keyboard_along(until: Any, type_ahead: Any) -> None:
    app = HangingApp()
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.focused, Hangs))
        type_ahead(pilot, "x", "ctrl+q")
        await until(pilot, lambda: app.return_value == "left")
