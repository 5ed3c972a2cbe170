"""Presets: listed, filtered, saved, loaded, and deleted after confirmation."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from engine.config.presets import Preset, find_preset, list_presets, load_preset, save_preset
from engine.config.run_config import RunConfig
from engine.files.paths import presets_folder
from engine.service.client import Superseded
from tui.app import DltuiApp
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.new_run.screen import NewRunScreen
from tui.screens.presets.save_preset import SavePresetScreen
from tui.screens.presets.screen import PresetsScreen
from tui.widgets.listing import Listing

IRIS = RunConfig.parse(
    {
        "name": "own-iris",
        "title": "[red]mine[/red]",
        "task": {"kind": "tabular_classification"},
        "data": {"kind": "builtin", "name": "iris"},
        "model": {"kind": "mlp", "hidden": [8, 4]},
    }
)


def names(pilot: Pilot[Any]) -> list[str]:
    return [preset.name for listing in pilot.app.screen.query(Listing) for preset in listing.items]


async def listed(pilot: Pilot[Any], until: Any) -> list[Preset | None]:
    """Open the screen; its result is appended to the returned list."""
    chosen: list[Preset | None] = []
    pilot.app.push_screen(PresetsScreen(), chosen.append)
    await until(pilot, lambda: isinstance(pilot.app.screen, PresetsScreen) and names(pilot))
    return chosen


def silent(question: str, **arguments: Any) -> dict[str, Any]:
    raise Superseded("")


async def test_own_presets_come_first_and_all_are_listed_as_they_are(until, text_of) -> None:
    save_preset("own-iris", IRIS)
    async with DltuiApp().run_test(size=(120, 50)) as pilot:
        await listed(pilot, until)
        shipped = [preset.name for preset in list_presets() if preset.shipped]
        own, *others = names(pilot)
        assert (own, sorted(others)) == ("own-iris", shipped)
        first = ["digits-cnn", "cifar10-cnn", "docstrings-bert", "shakespeare-llama", "adult-mlp"]
        assert sorted(first, key=others.index) == first  # by domain, without a download first
        row = next(line for line in text_of(pilot).splitlines() if "own-iris" in line)
    for part in ("Classification of rows", " yours ", "[red]mine[/red]"):
        assert part in row


async def test_typing_narrows_the_list_down_and_enter_takes_the_preset(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        chosen = await listed(pilot, until)
        await pilot.press("slash", *"image_class digits")
        await until(pilot, lambda: names(pilot) == ["digits-cnn"])
        await pilot.press("enter", "enter")
        await until(pilot, lambda: chosen)
    assert [preset.path for preset in chosen] == [find_preset("digits-cnn").path]


async def test_presets_tell_and_are_filtered_by_what_they_need(until, text_of) -> None:
    async with DltuiApp().run_test(size=(120, 50)) as pilot:
        await listed(pilot, until)
        await pilot.press("slash", *"gpu mistral")
        await until(pilot, lambda: names(pilot) == ["capybara-mistral-qlora"])
        assert "download, GPU" in text_of(pilot)
        await pilot.press("ctrl+u", *"nothing digits")
        await until(pilot, lambda: names(pilot) == ["digits-cnn"])


async def test_words_that_no_preset_has_are_told(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await listed(pilot, until)
        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: not names(pilot))
        assert "none has these words" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "enter takes the one" in text_of(pilot))


async def test_what_the_preset_at_the_cursor_does_is_told_whole(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await listed(pilot, until)
        for key in ("down", "up"):
            await pilot.press(key)
            (at_cursor,) = (each.current for each in pilot.app.screen.query(Listing))
            assert f" {at_cursor.title} " in text_of(pilot)


async def test_escape_brings_all_back_and_then_leaves(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        chosen = await listed(pilot, until)
        await pilot.press("slash", *"digits")
        await until(pilot, lambda: len(names(pilot)) == 1)
        await pilot.press("escape")
        await until(pilot, lambda: len(names(pilot)) > 5)
        await pilot.press("escape")
        await until(pilot, lambda: chosen == [None])


async def test_an_own_preset_is_deleted_after_a_question(until) -> None:
    save_preset("own-iris", IRIS)
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await listed(pilot, until)
        await pilot.press("slash", *"own-iris", "enter", "d")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("n", "d")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        assert "own-iris" in [preset.name for preset in list_presets()]
        await pilot.press("y")
        await until(pilot, lambda: names(pilot) == [])
    assert "own-iris" not in [preset.name for preset in list_presets()]


async def test_a_shipped_preset_is_not_deleted(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await listed(pilot, until)
        await pilot.press("slash", *"digits-cnn", "enter", "d")
        await pilot.pause()
        assert isinstance(pilot.app.screen, PresetsScreen)
    assert find_preset("digits-cnn").shipped


async def test_a_broken_preset_is_listed_with_its_problem_and_not_taken(until, text_of) -> None:
    presets_folder().mkdir(parents=True)
    (presets_folder() / "broken.toml").write_text("[train]\nepochs = 'many'")
    async with DltuiApp().run_test(size=(160, 50)) as pilot:
        chosen = await listed(pilot, until)
        assert "! " in next(line for line in text_of(pilot).splitlines() if "broken" in line)
        await pilot.press("slash", *"broken", "enter", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, PresetsScreen)
    assert not chosen


async def saving(pilot: Pilot[Any], config: RunConfig, until: Any) -> None:
    """Open the new run with ``config`` and start to save it as a preset."""
    screen = NewRunScreen(config.values(), ask=silent)
    pilot.app.push_screen(screen)
    await until(pilot, lambda: pilot.app.screen is screen)
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(pilot.app.screen, SavePresetScreen))


async def test_what_is_saved_is_loaded_back_equal(until) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await saving(pilot, IRIS, until)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
        await until(pilot, lambda: "own-iris" in [preset.name for preset in list_presets()])
    assert load_preset(find_preset("own-iris")) == IRIS


async def test_a_name_that_is_taken_is_asked_about(until) -> None:
    save_preset("own-iris", IRIS)
    changed = IRIS.override(["train.epochs=3"])
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await saving(pilot, changed, until)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(pilot.app.screen, SavePresetScreen))
        assert load_preset(find_preset("own-iris")) == IRIS
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmScreen))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
    assert load_preset(find_preset("own-iris")) == changed


async def test_a_name_that_cannot_be_is_refused(until, text_of) -> None:
    async with DltuiApp().run_test(size=(80, 24)) as pilot:
        await saving(pilot, IRIS, until)
        await pilot.press("ctrl+u", *"../x", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, SavePresetScreen)
        assert "1 to 64 of a-z" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, NewRunScreen))
    assert not list(presets_folder().rglob("*"))
