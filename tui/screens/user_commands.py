"""Commands of the user's settings, each on a key."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from engine.runs.directory import RunDirectory
from tui.settings import CommandSettings
from tui.terminal.keymap import Keymap, key_named
from tui.terminal.vocabulary import BY_KEY

_RUN, _FOLDER = "{run}", "{folder}"


@dataclass(frozen=True)
class UserCommand:
    """A program that is started for the run at hand."""

    name: str
    key: str
    words: tuple[str, ...]
    """The program and its arguments, with the places of the run's name and folder."""

    def arguments(self, run: RunDirectory) -> list[str]:
        """Return program and arguments for a run; each word stays one, whatever is filled in."""
        folder = str(run.path.absolute())
        return [word.replace(_RUN, run.id).replace(_FOLDER, folder) for word in self.words]


def read_commands(
    wanted: Mapping[str, CommandSettings], keymap: Keymap
) -> tuple[list[UserCommand], list[str]]:
    """Return the commands of the settings, and a sentence for each that is left out."""
    found: list[UserCommand] = []
    problems = []
    for name, settings in wanted.items():
        command = _read(name, settings, keymap, {other.key: other.name for other in found})
        if isinstance(command, UserCommand):
            found.append(command)
        else:
            problems.append(f"commands.{name}: {command}")
    return found, problems


def _read(
    name: str, settings: CommandSettings, keymap: Keymap, taken: Mapping[str, str]
) -> UserCommand | str:
    """Return a command, or what is wrong with it."""
    key = key_named(settings.key)
    if not key:
        return f"{settings.key!r} is not the name of a key."
    held = BY_KEY.get(keymap.meant(key))
    if held is not None:
        return f"{settings.key!r} is the key for {held.name} ({held.text}). Choose another."
    if key in taken:
        return f"{settings.key!r} is the key of the command {taken[key]}. Choose another."
    try:
        words = shlex.split(settings.run)
    except ValueError as error:
        return f"the command cannot be split into words: {error}."
    if not words:
        return "no program is named by run."
    return UserCommand(name, key, tuple(words))
