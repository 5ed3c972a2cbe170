"""The line of keys: as many as there is room for, and a click on one presses it."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType

from tui.widgets.steady_footer import FooterKey, SteadyFooter, fitting


def key(name: str, text: str, enabled: bool = True) -> FooterKey:
    return FooterKey(name, name, text, enabled, "")


KEYS = [key("n", "New"), key("P", "Presets"), key("q", "Quit"), key("?", "Keys")]


def line(width: int) -> str:
    return " ".join(str(placed.content) for placed in fitting(KEYS, width))


def test_keys_are_shown_whole_and_those_that_leave_and_list_all_keys_always() -> None:
    assert line(29) == "n New P Presets q Quit ? Keys"
    assert line(28) == "n New q Quit ? Keys"
    assert line(13) == "q Quit ? Keys"
    assert line(12) == "n New ? Keys"
    assert line(5) == "? Keys"
    assert fitting([], 80) == []


def test_columns_are_those_of_the_keys_in_the_line() -> None:
    shown = line(29)
    for placed in fitting(KEYS, 29):
        assert shown[placed.start : placed.end] == str(placed.content)


class Keys(App[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "press('n')", "New"),
        Binding("p", "press('p')", "Pause", tooltip="Hold it"),
        Binding("x", "press('p')", "Pause, too"),
        Binding("h", "press('h')", "Hidden", show=False),
        Binding("d", "press('d')", "Dim"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        super().__init__()
        self.pressed: list[str] = []

    def compose(self) -> ComposeResult:
        yield SteadyFooter()

    def check_action(self, action: str, parameters: tuple[Any, ...]) -> bool | None:
        return None if parameters == ("d",) else True

    def action_press(self, name: str) -> None:
        self.pressed.append(name)


async def test_a_click_presses_the_key_and_the_pointer_explains_it() -> None:
    app = Keys()
    async with app.run_test(size=(40, 3)) as pilot:
        await pilot.pause()
        footer = app.query_one(SteadyFooter)
        assert str(footer.render()) == "n New p Pause d Dim"
        await pilot.hover(footer, offset=(8, 0))
        assert str(footer.tooltip) == "Hold it"
        for column in (8, 5, 15, 30):  # a key, a gap, a disabled key, nothing
            await pilot.click(footer, offset=(column, 0))
        await pilot.click(footer, offset=(0, 0))
        assert app.pressed == ["p", "n"]
