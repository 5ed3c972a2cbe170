"""The settings of the program as it runs: applied, changed by the user, and saved."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from textual.app import SystemCommand
from textual.filter import LineFilter, NoColor
from textual.theme import Theme

from engine.errors import UserError
from tui.charts.pictures import Drawing
from tui.settings import Images, Settings, write_settings
from tui.terminal.ascii import PlainCharacters
from tui.terminal.capabilities import knows_plain_only, shows_pictures
from tui.terminal.graphics.store import PictureStore
from tui.terminal.keyboard import KeysInOrder
from tui.terminal.themes import DARK, HIGH_CONTRAST, THEMES
from tui.widgets.notify import complain

_KEPT = "a setting; it is kept"
_SLOW_PIXELS = 2
"""Pixels of a picture in the width of a cell, over a slow connection."""
_IMAGES: Mapping[Images, str] = {
    "auto": "Images by the terminal's graphics",
    "blocks": "Images as half blocks",
    "words": "Images in words",
}


class Preferences:
    """The look of an application, by its settings and by what its terminal can show."""

    def __init__(
        self, app: KeysInOrder, settings: Settings, store: PictureStore | None = None
    ) -> None:
        """``store`` keeps pictures for the terminal's graphics, if it has any."""
        self._app = app
        self._store = store
        self._plain = PlainCharacters()
        self._colourless = NoColor(enabled=app.no_color)
        for theme in THEMES.values():
            app.register_theme(theme)
        self._apply(settings)

    @property
    def draws_pictures(self) -> bool:
        """Whether pictures are drawn, and not described in words."""
        if self._colourless.enabled or self._plain.enabled or self.settings.images == "words":
            return False
        return bool(self.drawing.store) or shows_pictures(self._app.console.color_system)

    @property
    def drawing(self) -> Drawing:
        """The drawing of pictures; over a slow connection, never by what is sent at each paint."""
        store, slow = self._store, self.settings.slow_link
        if store is None or self.settings.images == "blocks" or (slow and not store.sent_once):
            return Drawing()
        return Drawing(store, _SLOW_PIXELS if slow else 0)

    @property
    def line_filters(self) -> Sequence[LineFilter]:
        """The filters for terminals without colour or Unicode."""
        filters: Sequence[LineFilter] = (self._colourless, self._plain)
        return [each for each in filters if each.enabled]

    def follow_theme(self) -> None:
        """Save also a theme that is chosen from Textual's own list."""

        def changed(theme: Theme) -> None:
            if theme.name != self._theme:
                self.choose(theme=theme.name)

        self._app.theme_changed_signal.subscribe(self._app, changed)

    def choose(self, **choices: Any) -> None:
        """Change settings, now and for later times."""
        self._apply(replace(self.settings, **choices))
        self._app.refresh_css(animate=False)
        self._app.screen.refresh_bindings()
        self._app.run_worker(partial(self._save, choices), thread=True, group="settings")

    def commands(self) -> Iterator[SystemCommand]:
        """Yield what can be chosen of the settings, for the list of actions."""
        for title, choices in self._choices():
            yield SystemCommand(title, _KEPT, partial(self.choose, **choices))

    def _choices(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Yield titles, and the values that each sets."""
        for title, theme in THEMES.items():
            if theme.name != self._app.theme:
                yield title, {"theme": theme.name}
        plain, slow = self._plain.enabled, self.settings.slow_link
        yield (
            "All characters" if plain else "Plain characters",
            {"characters": "all" if plain else "plain"},
        )
        yield "Fast connection" if slow else "Slow connection", {"slow_link": not slow}
        for images, title in _IMAGES.items():
            if images != self.settings.images:
                late = images == "auto" and self._store is None
                yield f"{title}, from the next start" if late else title, {"images": images}
        notified = self.settings.desktop_notifications
        title = "Desktop notifications off" if notified else "Desktop notifications on"
        yield title, {"desktop_notifications": not notified}

    def _apply(self, settings: Settings) -> None:
        self.settings = settings
        few = self._app.console.color_system == "standard"
        known = settings.theme in self._app.available_themes
        usual = HIGH_CONTRAST if few else DARK
        self._theme = self._app.theme = settings.theme if known else usual.name
        plain = settings.characters == "plain"
        self._plain.enabled = plain or (
            settings.characters == "auto" and knows_plain_only(os.environ)
        )
        self._app.plain_keys = self._plain.enabled
        self._app.animation_level = "none" if settings.slow_link else "full"

    def _save(self, choices: Mapping[str, object]) -> None:
        """Save choices, in a thread."""
        try:
            write_settings(choices)
        except UserError as error:
            self._app.call_from_thread(complain, self._app.screen, error)
