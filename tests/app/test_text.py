"""Text from outside is shown literally and never interpreted."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.widgets import Static

from tui.format.text import literal, shortened

HOSTILE = [
    "[red]red[/red]",
    "[/x]",
    "loss[train]/x",
    "[@click=app.quit]click[/]",
    "\x1b[2J\x1b]52;c;aGk=\x07",
    "\x9b2J",
    "a\u202eb",
    "\ud800",
    "line\nline",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_character_of_it_is_a_command(text: str) -> None:
    shown = literal(text).plain
    assert all(character.isprintable() for character in shown)
    assert literal(text).spans == []


def test_markup_is_shown_as_it_is() -> None:
    assert literal("[red]red[/red]").plain == "[red]red[/red]"


def test_length_is_bounded() -> None:
    assert len(literal("x" * 10_000, limit=50).plain) == 50


async def test_a_widget_shows_it_literally() -> None:
    class Shows(App[None]):
        def compose(self) -> ComposeResult:
            yield Static(literal(" ".join(HOSTILE), 500))

    app = Shows()
    async with app.run_test(size=(120, 5)):
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
    assert "[red]red[/red] [/x] loss[train]/x [@click=app.quit]click[/]" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("room", "text"),
    [(9, "adapter-2"), (8, "ada…er-2"), (5, "ad…-2"), (2, "…2"), (1, "…"), (0, ""), (-3, "")],
)
def test_a_long_name_keeps_its_beginning_and_its_end(room: int, text: str) -> None:
    assert shortened("adapter-2", room) == text
