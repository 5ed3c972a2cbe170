"""The file picker, by keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tui.app import DltuiApp
from tui.widgets.form import path_picker
from tui.widgets.form.path_list import PathFinder
from tui.widgets.form.path_picker import PathPickerScreen, Purpose
from tui.widgets.listing import Listing

SIZES = [(80, 24), (120, 40)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a few files."""
    for name in ("data/2024/customers.csv", "data/photos/cat.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("id,[b]age[/b]\x1b[2J\n1,2\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Picked:
    """An open picker, and what it was closed with."""

    def __init__(
        self, pilot: Pilot[Any], text: str, options: dict[str, str] | None, purpose: Purpose
    ) -> None:
        self.results: list[str | None] = []
        self.screen = PathPickerScreen("data.path", text, options, purpose)
        pilot.app.push_screen(self.screen, self.results.append)

    @property
    def values(self) -> list[str]:
        """The values of the rows."""
        return [row.value for row in self.screen.query_one(Listing).items]

    @property
    def typed(self) -> str:
        """What stands in the input."""
        return self.screen.query_one(Input).value


async def opened(
    pilot: Pilot[Any],
    until: Any,
    text: str = "",
    options: dict[str, str] | None = None,
    purpose: Purpose = "field",
) -> Picked:
    """A picker that shows its first rows."""
    await until(pilot, lambda: pilot.app.screen.is_mounted)
    picked = Picked(pilot, text, options, purpose)
    await until(pilot, lambda: picked.screen.is_mounted and picked.values)
    return picked


PICKED = [
    ("", [*"cust"], "data/2024/customers.csv"),
    ("", [*"dcsv"], "data/2024/customers.csv"),
    ("", ["down"], "notes.txt"),
    ("data/2024/customers.csv", ["ctrl+u", *"note"], "notes.txt"),
    ("notes.txt", ["ctrl+u"], ""),
    ("", [*"data/photos"], "data/photos"),
    ("", [*"photo", "enter"], "data/photos"),
    ("", [*"data/*/*.csv"], "data/*/*.csv"),
    ("", [*"missing.tsv"], "missing.tsv"),
    ("", [*"ct.csv"], "ct.csv"),
    ("", ["tab", *"20", "tab", *"c"], "data/2024/customers.csv"),
]


@pytest.mark.parametrize(("text", "keys", "expected"), PICKED)
async def test_a_few_keys_pick_a_path(text, keys, expected, folder, until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picked = await opened(pilot, until, text)
        for key in [*keys, "enter"]:
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: picked.results == [expected])


@pytest.mark.parametrize(("text", "keys", "expected"), PICKED[:1] + PICKED[-4:])
async def test_keys_that_come_all_at_once_pick_the_same(
    text, keys, expected, folder, until, type_ahead
) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picked = await opened(pilot, until, text)
        type_ahead(pilot, *keys, "enter")
        await until(pilot, lambda: picked.results == [expected])


@pytest.mark.parametrize("keys", [["enter"], ["escape"], [*"cust", "escape"]])
async def test_nothing_changes_where_nothing_was_chosen(keys, folder, until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picked = await opened(pilot, until, "notes.txt")
        await pilot.press(*keys)
        await until(pilot, lambda: picked.results == [None])


async def test_a_folder_opens_with_enter_and_is_taken_with_another(folder, until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picked = await opened(pilot, until)
        await pilot.press(*"phot", "enter")
        await until(pilot, lambda: picked.typed == "data/photos/")
        await until(pilot, lambda: "this folder" in text_of(pilot) and "1 .png" in text_of(pilot))
        assert picked.values == ["data/photos/", "data/photos/cat.png"]
        await pilot.press("enter")
        await until(pilot, lambda: picked.results == ["data/photos"])


NAMED = [
    ([], "./out.csv"),
    (["ctrl+u", *"new.csv"], "new.csv"),
    (["ctrl+u", *"data/", "enter"], "data/out.csv"),
    (["ctrl+u", *"photo", "down", "enter"], "data/photos/out.csv"),
    (["ctrl+u", *"notes", "down", "enter"], "notes.txt"),
]


async def test_the_disk_is_searched_after_a_pause_of_typing(folder, until, monkeypatch) -> None:
    monkeypatch.setattr(path_picker, "_PAUSE_SECONDS", 60)
    find, searched = PathFinder.find, []
    monkeypatch.setattr(PathFinder, "find", lambda *a: searched.append(a[1]) or find(*a))
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picked = await opened(pilot, until)
        await pilot.press(*"cust", "enter")  # the key that takes waits for no pause
        await until(pilot, lambda: picked.results == ["data/2024/customers.csv"])
    assert searched == ["", "cust"]


@pytest.mark.parametrize(("keys", "expected"), NAMED)
async def test_a_new_file_is_named_in_any_folder(keys, expected, folder, until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picked = await opened(pilot, until, "./out.csv", purpose="write")
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        if keys[-1:] == ["enter"]:
            await until(pilot, lambda: picked.typed == expected)
        assert not picked.results
        await pilot.press("enter")
        await until(pilot, lambda: picked.results == [expected])


async def test_the_first_file_to_read_is_taken_at_once(folder, until) -> None:
    (folder / "data").rename(folder / ".data")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picked = await opened(pilot, until, purpose="read")
        await pilot.press("enter")
        await until(pilot, lambda: picked.results == ["notes.txt"])


@pytest.mark.parametrize("size", SIZES)
async def test_sizes_and_first_lines_are_shown_as_they_are(size, folder, until, text_of) -> None:
    async with DltuiApp().run_test(size=size) as pilot:
        await opened(pilot, until)
        await pilot.press(*"cust")
        await until(pilot, lambda: "id,[b]age[/b]␛[2J" in text_of(pilot))
        assert "22 B" in text_of(pilot)


NAMES = {"owner/bert-base": "on the hub", "owner/other": ""}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [("bert", "owner/bert-base"), ("owner/mine", "owner/mine"), ("bbase", "bbase")],
)
async def test_names_of_another_place_are_offered_and_any_may_be_typed(
    keys, expected, folder, until
) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picked = await opened(pilot, until, options=NAMES)
        assert picked.values[:2] == list(NAMES)
        await pilot.press(*keys, "enter")
        await until(pilot, lambda: picked.results == [expected])


async def test_what_is_not_shown_is_said(folder, until, text_of) -> None:
    (folder / "a\x1b]2;x").touch()
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await opened(pilot, until)
        await until(pilot, lambda: "1 with control characters" in text_of(pilot))
        await pilot.press(*"nowhere/")
        await until(pilot, lambda: "missing or cannot be read" in text_of(pilot))


async def test_a_folder_that_is_not_read_holds_no_key_up(folder, until, text_of) -> None:
    """A named pipe without a writer blocks whoever opens it."""
    os.mkfifo(folder / "data" / "2024" / "pipe")
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        picked = await opened(pilot, until)
        await pilot.press(*"pipe")
        await until(pilot, lambda: "not a regular file" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: picked.results == ["data/2024/pipe"])
