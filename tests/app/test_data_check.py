"""The check of the data in the form: findings, and the changes that remove them."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from textual.widgets import Static

from engine.errors import UserError
from engine.reports.findings import DataCheck, Finding, FoundRow, Mend
from engine.reports.picture import Picture
from engine.service.client import Superseded
from tui.app import DltuiApp
from tui.screens.new_run.data_check import DataCheckScreen
from tui.screens.new_run.screen import NewRunScreen
from tui.widgets.listing import Listing
from tui.widgets.preview import DataPreview

ROWS = ("train:3:00c0ffee", "train:9:0badcafe")
CHECK = DataCheck(
    "people.csv", {"train": 1257, "test": 300},
    (
        Finding("leakage", "rows that are also in the training rows: 2 of test", count=2,
                mends=(Mend("d", "drop the duplicates", ("id",), duplicates="drop"),
                       Mend("I", "move them to training", ("id",), duplicates="train"))),
        Finding("wrong labels", "2 labels likely wrong", "label", 2,
                (FoundRow(ROWS[0], "train", "age=49", "expected yes (99%)"),),
                (Mend("d", "drop the rows", rows=ROWS),)),
        Finding("identifier", "left out already: id (counts the rows)"),
    ),
    ("labels were checked in 10,000 of 21,114 training rows",),
)  # fmt: skip
SIZES = [(80, 24), (120, 40)]
PRESET = {
    "task": {"kind": "tabular_classification"},
    "data": {"kind": "file", "path": "people.csv", "columns": {"zip": "text"}},
    "model": {"kind": "mlp"},
}


def answered(question: str, **arguments: Any) -> dict[str, Any]:
    if question != "data check":
        raise Superseded("")
    assert arguments["values"]["data"]["path"] == "people.csv"
    return CHECK.record()


async def opened(app: DltuiApp, pilot: Any, until: Any, ask: Any = answered) -> NewRunScreen:
    screen = NewRunScreen(PRESET, ask=ask)
    await app.push_screen(screen)
    await until(pilot, lambda: app.screen.query(DataPreview))
    await pilot.press("p", "D")
    await until(pilot, lambda: isinstance(app.screen, DataCheckScreen))
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_findings_are_shown_with_their_rows(size, until, text_of) -> None:
    app = DltuiApp()
    async with app.run_test(size=size) as pilot:
        await opened(app, pilot, until)
        await until(pilot, lambda: "leakage" in text_of(pilot))
        shown = text_of(pilot)
        assert "people.csv: train 1,257, test 300; 3 findings" in shown
        assert "labels were checked in 10,000" in shown
        assert "2 of test" in shown
        await pilot.press("j")
        await until(pilot, lambda: "train:3" in text_of(pilot))
        assert "expected yes (99%)" in text_of(pilot)
        assert "and 1 more row" in text_of(pilot)


async def test_chosen_changes_go_into_the_draft(until, text_of) -> None:
    app = DltuiApp()
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await opened(app, pilot, until)
        await until(pilot, lambda: len(app.screen.query_one(Listing).items) == 3)
        await pilot.press("d", "I", "j", "d", "j", "d")  # the last one has no change
        await until(pilot, lambda: "✓ move them to training" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        data = screen._form.draft.values.tree["data"]
    assert data["columns"] == {"zip": "text", "id": "ignored"}
    assert data["duplicates"] == "train"
    assert tuple(data["drop_rows"]) == ROWS


async def test_a_second_press_takes_the_change_back(until) -> None:
    app = DltuiApp()
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await opened(app, pilot, until)
        await until(pilot, lambda: len(app.screen.query_one(Listing).items) == 3)
        await pilot.press("d", "d", "enter")
        await until(pilot, lambda: app.screen is screen)
        assert not screen._form.draft.changes


async def test_a_change_takes_back_those_that_it_contradicts(until) -> None:
    app = DltuiApp()
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await opened(app, pilot, until, answered_twice)
        await until(pilot, lambda: len(app.screen.query_one(Listing).items) == 2)
        await pilot.press("j", "d", "k", "I", "enter")
        await until(pilot, lambda: app.screen is screen)
        data = screen._form.draft.values.tree["data"]
    assert data["duplicates"] == "train"  # of both, that of the last row would win


def answered_twice(question: str, **arguments: Any) -> dict[str, Any]:
    """Answer with two findings about the same rows."""
    if question != "data check":
        raise Superseded("")
    drop, move = (Mend(key, how, duplicates=how) for key, how in (("d", "drop"), ("I", "train")))
    found = (
        Finding("leakage", "twice", mends=(move,)),
        Finding("duplicates", "twice", mends=(drop,)),
    )
    return DataCheck("people.csv", {"train": 10}, found).record()


async def test_data_that_cannot_be_read_is_told(until) -> None:
    def failing(question: str, **arguments: Any) -> dict[str, Any]:
        if question != "data check":
            raise Superseded("")
        raise UserError("There is no file 'people.csv'.")

    app = DltuiApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, until, failing)
        head = app.screen.query_one("#head", Static)
        await until(pilot, lambda: "There is no file" in str(head.content))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))


async def test_images_of_a_finding_are_shown_beside_those_they_resemble(
    until, text_of, monkeypatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    rgb = base64.b64encode(bytes([90, 10, 200]) * 4).decode()
    pictures = tuple(Picture(2, 2, rgb, caption) for caption in ("a.png", "like b.png"))
    row = FoundRow(ROWS[0], "train", "image=a.png", "like b.png", pictures)
    finding = Finding("near duplicates", "1 training image", count=1, rows=(row,))

    def ask(question: str, **arguments: Any) -> dict[str, Any]:
        if question != "data check":
            raise Superseded("")
        assert arguments["pictures"]
        return DataCheck("pets", {"train": 9}, (finding,)).record()

    app = DltuiApp()
    async with app.run_test(size=(100, 40)) as pilot:
        await opened(app, pilot, until, ask)
        await until(pilot, lambda: text_of(pilot).count("a.png") == 2)
        assert "like b.png" in text_of(pilot).split("a.png")[-1]
        colours = {
            segment.style.bgcolor.triplet
            for strip in app.screen._compositor.render_strips()
            for segment in strip
            if segment.style and segment.style.bgcolor
        }
        assert (90, 10, 200) in colours
