"""Panels chosen by keys, however fast they are typed."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Input, TabPane, Tabs

from tui.app import DltuiApp
from tui.screens.registry import make_screen
from tui.widgets.panel_tabs import PanelTabs


class Panels(App[None]):
    def compose(self) -> ComposeResult:
        with PanelTabs():
            for place in range(1, 5):
                with TabPane(f"Panel {place}", id=f"panel-{place}"):
                    yield Input(id=f"input-{place}", disabled=place == 4)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_a_panel_chosen_before_the_first_one_is_ready_is_shown(number: int) -> None:
    app = Panels()
    async with app.run_test() as pilot:
        tabs = app.query_one(PanelTabs)
        tabs.action_go_to(number)
        await pilot.pause()
        assert tabs.active == f"panel-{number}"


async def test_the_last_of_several_keys_typed_at_once_decides() -> None:
    app = Panels()
    async with app.run_test() as pilot:
        tabs = app.query_one(PanelTabs)
        for last in (3, 1, 4, 2):
            for number in (2, 4, 1, 3, last):
                tabs.action_go_to(number)
            await pilot.pause()
            assert tabs.active == f"panel-{last}"
            assert app.focused is not None
            assert tabs.query_one(f"#panel-{last}").display


async def test_a_tab_whose_message_comes_late_does_not_replace_a_panel_chosen_since() -> None:
    app = Panels()
    async with app.run_test() as pilot:
        tabs = app.query_one(PanelTabs)
        bar = tabs.query_one(Tabs)
        bar.post_message(Tabs.TabActivated(bar, tabs.get_tab("panel-1")))
        tabs.action_go_to(3)
        await pilot.pause()
        assert tabs.active == "panel-3"
        assert app.focused is app.query_one("#input-3")


async def test_a_panel_left_while_it_receives_the_focus_does_not_come_back() -> None:
    app = Panels()
    async with app.run_test() as pilot:
        tabs = app.query_one(PanelTabs)
        for number, next_number in ((2, 3), (3, 1), (1, 2)):
            tabs.active = f"panel-{number}"
            await pilot.pause()
            app.set_focus(None)
            app.set_focus(app.query_one(f"#input-{number}"))
            tabs.action_go_to(next_number)
            await pilot.pause()
            assert tabs.active == f"panel-{next_number}"
            assert app.focused is app.query_one(f"#input-{next_number}")


@pytest.mark.parametrize(("name", "panel"), [("results", "view-1"), ("monitor", "table")])
async def test_a_number_typed_as_soon_as_a_screen_is_opened_shows_its_panel(
    name: str, panel: str, make_run, training, finished, until, type_ahead
) -> None:
    run = make_run("done", [*training(), finished()])
    run.report.path.write_text("{}")
    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        screen = make_screen(name, run)
        app.push_screen(screen)
        type_ahead(pilot, "2")
        await until(pilot, lambda: screen.query(PanelTabs))
        tabs = screen.query_one(PanelTabs)
        await until(pilot, lambda: tabs.active == panel)
        await until(pilot, lambda: tabs.query_one(f"#{panel}").display)


async def test_there_are_as_many_numbers_as_panels() -> None:
    app = Panels()
    async with app.run_test() as pilot:
        app.query_one(PanelTabs).action_go_to(4)  # a text field would take digits itself
        await pilot.pause()
        numbers = {key for key in app.screen.active_bindings if key.isdecimal()}
        assert sorted(numbers) == ["1", "2", "3", "4"]
