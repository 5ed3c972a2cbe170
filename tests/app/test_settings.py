"""Settings are changed from the command palette, saved, and ignored when they are damaged."""

from __future__ import annotations

import pytest

from engine.files.paths import settings_file
from tui.app import DltuiApp
from tui.settings import Settings, SettingsError, read_settings, write_settings
from tui.terminal.themes import THEMES


def test_what_was_chosen_is_read_again_and_the_rest_stays() -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text('# mine\nfuture = 1\ntheme = "nord"\n')
    write_settings({"slow_link": True})
    assert read_settings() == Settings(theme="nord", slow_link=True)
    assert settings_file().read_text().startswith("# mine\nfuture = 1\n")


@pytest.mark.parametrize("content", ["theme = ", 'slow_link = "perhaps"', "\udcff"])
def test_a_damaged_file_is_a_problem_that_names_it_and_is_replaced(content: str) -> None:
    settings_file().parent.mkdir(parents=True)
    settings_file().write_text(content, errors="surrogateescape")
    with pytest.raises(SettingsError, match=r"settings\.toml"):
        read_settings()
    if content == "theme = ":
        write_settings({"theme": "light"})
        assert read_settings().theme == "light"


@pytest.mark.parametrize("title", list(THEMES)[1:])
async def test_a_theme_is_chosen_from_the_list_of_actions_and_kept(title: str, until) -> None:
    app = DltuiApp(settings=Settings(theme="dark"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p", *title.lower())
        await until(pilot, lambda: _offered(app, title))
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.theme == THEMES[title].name)
        await until(pilot, lambda: settings_file().exists())
    assert read_settings().theme == THEMES[title].name


def _offered(app: DltuiApp, title: str) -> bool:
    from textual.command import CommandList

    lists = app.screen.query(CommandList)
    return (
        bool(lists)
        and lists.first().option_count > 0
        and title in str(lists.first().get_option_at_index(0).prompt)
    )


async def test_an_unknown_theme_and_a_problem_of_the_file_leave_the_program_usable(
    until, text_of
) -> None:
    app = DltuiApp(settings=Settings(theme="gone"), problem="No [red] TOML.")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "No [red] TOML." in text_of(pilot))
        assert app.theme in ("dark", "high-contrast")


async def test_what_is_given_for_this_time_only_is_not_kept(until) -> None:
    app = DltuiApp(settings=Settings(characters="plain", slow_link=True))
    async with app.run_test() as pilot:
        app.preferences.choose(theme="light")
        await until(pilot, lambda: settings_file().exists())
    assert read_settings() == Settings(theme="light")


async def test_keys_have_names_where_their_signs_cannot_be_shown(make_run, until, text_of) -> None:
    make_run("here")
    app = DltuiApp(settings=Settings(characters="plain"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "enter Open" in text_of(pilot))
        app.preferences.choose(characters="all")
        await until(pilot, lambda: "⏎ Open" in text_of(pilot))


async def test_over_a_slow_line_nothing_is_animated() -> None:
    async with DltuiApp(settings=Settings(slow_link=True)).run_test() as pilot:
        assert pilot.app.slow_link
        assert pilot.app.animation_level == "none"
