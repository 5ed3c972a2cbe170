"""The keys of the screen in its last line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget
from typing_extensions import override

from tui.format.text import literal

_NAME = 80
_LEAVING = ("escape", "q")
_KEY = "bold $footer-key-foreground on $footer-key-background"
_TEXT = "$footer-description-foreground on $footer-description-background"


@dataclass(frozen=True)
class FooterKey:
    """A key with its name and its meaning; a disabled one does nothing now."""

    key: str
    shown: str
    text: str
    enabled: bool
    tooltip: str

    @property
    def leaves(self) -> bool:
        """Whether it leads out of the screen."""
        return self.key in _LEAVING

    @property
    def content(self) -> Content:
        """The key and its meaning."""
        name = literal(self.shown, _NAME).stylize(_KEY)
        content = name + literal(f" {self.text}", _NAME).stylize(_TEXT)
        return content if self.enabled else content.stylize("dim")


@dataclass(frozen=True)
class PlacedKey:
    """A key and its columns in the line."""

    key: FooterKey
    start: int
    content: Content

    @property
    def end(self) -> int:
        """The column after it."""
        return self.start + self.content.cell_length


def fitting(keys: Sequence[FooterKey], width: int) -> list[PlacedKey]:
    """Return the keys that fit a line: those that leave and the last one, then the first ones.

    The last one lists all keys.
    """
    contents = [(key, key.content) for key in keys]
    leaving = [place for place, key in enumerate(keys) if key.leaves]
    chosen: set[int] = set()
    left = width + 1
    for place in (*range(len(keys))[-1:], *leaving, *range(len(keys))):
        cells = contents[place][1].cell_length + 1
        if place not in chosen and (cells <= left or not chosen):
            chosen.add(place)
            left -= cells
    placed: list[PlacedKey] = []
    start = 0
    for place in sorted(chosen):
        placed.append(PlacedKey(contents[place][0], start, contents[place][1]))
        start = placed[-1].end + 1
    return placed


class SteadyFooter(Widget):
    """The keys as one line, redrawn only when they change; a click on one presses it.

    Textual's footer has a widget for each key, and makes all of them anew with each change.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    SteadyFooter {
        dock: bottom;
        height: 1;
        text-wrap: nowrap;
        color: $footer-foreground;
        background: $footer-background;
    }
    """

    _pointed: reactive[str] = reactive("")
    """The key under the pointer of the mouse."""

    def __init__(self) -> None:
        super().__init__()
        self._keys: list[FooterKey] = []

    def on_mount(self) -> None:
        """Follow the keys of the screen."""
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    @override
    def render(self) -> Content:
        """Return the keys in a line."""
        return Content(" ").join(
            placed.content.stylize("on $block-hover-background" * (placed.key.key == self._pointed))
            for placed in fitting(self._keys, self.size.width)
        )

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Mark the key under the pointer, and explain it."""
        key = self._key_at(event.x)
        self._pointed = key.key if key else ""
        self.tooltip = literal(key.tooltip, 400) if key and key.tooltip else None

    def on_leave(self) -> None:
        """Mark no key."""
        self._pointed = ""

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Press the key under the pointer."""
        if (key := self._key_at(event.x)) is not None:
            if key.enabled:
                self.app.simulate_key(key.key)
            else:
                self.app.bell()

    def _key_at(self, column: int) -> FooterKey | None:
        placed = fitting(self._keys, self.size.width)
        return next((each.key for each in placed if each.start <= column < each.end), None)

    def _bindings_changed(self, screen: Screen[object]) -> None:
        if not screen.app.app_focus or screen is not self.screen:
            return
        keys = list(_keys(screen))
        if keys != self._keys:
            self._keys = keys
            self.refresh()


def _keys(screen: Screen[object]) -> Iterator[FooterKey]:
    """Yield the keys to show; of several for one action the first."""
    seen: set[str] = set()
    for _, binding, enabled, tooltip in screen.active_bindings.values():
        if binding.show and binding.action not in seen:
            seen.add(binding.action)
            shown = screen.app.get_key_display(binding)
            yield FooterKey(binding.key, shown, binding.description, enabled, tooltip)
