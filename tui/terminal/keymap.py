"""The user's own keys: another key for a meaning of the vocabulary, on all screens at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from textual import events
from textual.binding import Binding
from textual.keys import Keys, key_to_character

from engine.files.sanitize import plain
from tui.terminal.vocabulary import BY_KEY, BY_NAME

FREE = "unbound"
"""The key that stands for one whose meaning was moved: nothing is bound to it."""
_NAMED = {key.value for key in Keys}
_FIXED = {
    "enter", "escape", "tab", "space", "up", "down", "left", "right", "home", "end", "pageup",
    "pagedown", "backspace", "delete", "ctrl+c", *"0123456789",
}  # fmt: skip
"""Keys that stay what they are in any program."""


@dataclass(frozen=True)
class Keymap:
    """Keys that were moved."""

    own: Mapping[str, str] = field(default_factory=dict)
    """The user's key by the program's."""

    def shown(self, key: str) -> str:
        """Return the key that a user presses for one of the program's."""
        return self.own.get(key, key)

    def meant(self, key: str) -> str:
        """Return the program's key for one that was pressed; :data:`FREE` for a moved one."""
        found = next((program for program, own in self.own.items() if own == key), None)
        if found is not None:
            return found
        return FREE if key in self.own else key

    def translated(self, event: events.Key) -> events.Key:
        """Return the event of the program's key for the one that was pressed."""
        key = self.meant(event.key)
        return event if key == event.key else events.Key(key, key_to_character(key))


def read_keymap(wanted: Mapping[str, str]) -> tuple[Keymap, list[str]]:
    """Return the keys by the settings, ``{name: key}``, and a sentence for each that is left out.

    A key that has another meaning is left out, unless that meaning is moved too.
    """
    problems: list[str] = []
    moved: dict[str, str] = {}
    for name, text in wanted.items():
        key, problem = _key(name, text)
        if problem:
            problems.append(problem)
        else:
            moved[name] = key
    while (clash := _clash(moved)) is not None:
        name, taken = clash
        text = BY_NAME[taken].text if taken in BY_NAME else taken
        problems.append(
            f"keys.{name}: {wanted[name]!r} is the key for {taken} ({text}). "
            f"Choose another, or move keys.{taken} too."
        )
        del moved[name]
    return Keymap({BY_NAME[name].key: key for name, key in moved.items()}), problems


def key_named(text: str) -> str:
    """Return Textual's name of a key as a person writes it; empty for no key.

    A character, a name such as ``f5``, or either behind ``ctrl+``, ``alt+`` and ``shift+``.
    """
    *modifiers, last = text.strip().split("+") if len(text.strip()) > 1 else [text.strip()]
    if not set(modifiers) <= {"ctrl", "alt", "shift"}:
        return ""
    if len(last) == 1:
        last = "comma" if last == "," else _name_of(last)
    elif last not in _NAMED and len(key_to_character(last) or "") != 1:
        return ""
    return "+".join([*modifiers, last]) if last else ""


def _name_of(character: str) -> str:
    """Return Textual's name of a character; empty for one that no key types."""
    if not character.isprintable() or character.isspace():
        return ""
    return next(iter(Binding.make_bindings([Binding(character, "", "")]))).key


def _key(name: str, text: str) -> tuple[str, str]:
    """Return a key for a meaning, or the reason why it has none."""
    if name not in BY_NAME:
        near = difflib.get_close_matches(name, BY_NAME, n=1)
        hint = f"Did you mean {near[0]}?" if near else "docs/keys.md lists the names."
        return "", f"keys.{plain(name, 40)}: no such name. {hint}"
    key = key_named(text)
    if not key:
        return "", f"keys.{name}: {plain(text, 40)!r} is not the name of a key."
    if key in _FIXED:
        return "", f"keys.{name}: {text!r} stays what it is in any program. Choose another."
    return key, ""


def _clash(moved: Mapping[str, str]) -> tuple[str, str] | None:
    """Return a moved meaning, and the one that has its key already; ``None`` without any."""
    for name, key in moved.items():
        others = (other for other, taken in moved.items() if taken == key and other != name)
        if (other := next(others, None)) is not None:
            return name, other
        held = BY_KEY.get(key)
        if held is not None and held.name != name and held.name not in moved:
            return name, held.name
    return None
