"""Panels chosen by keys, however fast they are typed."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Input, TabPane

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
