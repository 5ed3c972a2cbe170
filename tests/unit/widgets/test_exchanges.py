"""The answers of *Try it*: a single picture is large enough to see what is drawn into it."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.content import Content

from engine.reports.picture import Picture
from tui.widgets.exchanges import Exchange
from tui.widgets.pictures.sheet import PictureSheet


class Tried(App[None]):
    def __init__(self, answer: dict[str, Any], models: int) -> None:
        super().__init__()
        self.exchange = Exchange(Content("asked"), [f"run {number}" for number in range(models)])
        self.answer = answer

    def compose(self) -> ComposeResult:
        yield self.exchange

    def on_mount(self) -> None:
        self.call_after_refresh(lambda: [r.show(self.answer) for r in self.exchange.replies])


def with_pictures(count: int) -> dict[str, Any]:
    rgb = base64.b64encode(bytes(3 * 64 * 64)).decode()
    pictures = [asdict(Picture(64, 64, rgb, name=f"{n}.png")) for n in range(count)]
    return {"records": [{"label": "cat"}] * count, "pictures": pictures}


@pytest.mark.parametrize(
    ("size", "pictures", "models", "side"),
    [
        ((120, 40), 1, 1, 38),
        ((80, 24), 1, 1, 22),
        ((200, 50), 1, 1, 48),
        ((60, 50), 1, 2, 30),
        ((120, 40), 2, 1, 16),
        ((40, 12), 1, 1, 16),
    ],
)
async def test_a_single_picture_is_half_as_high_as_the_screen(
    size: tuple[int, int], pictures: int, models: int, side: int
) -> None:
    app = Tried(with_pictures(pictures), models)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        sheets = list(app.query(PictureSheet))
        assert len(sheets) == models
        assert {sheet.side for sheet in sheets} == {side}
