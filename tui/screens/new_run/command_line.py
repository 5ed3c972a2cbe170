"""The command that starts the same run without a screen."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from engine.config.overrides import assignments
from engine.config.run_config import RunConfig, fields_of
from engine.files.sanitize import plain


def command_line(config: RunConfig, presets: Mapping[str, RunConfig], preset: str = "") -> str:
    """Return the command for the same run: a preset, and the differences from it.

    The preset is ``preset`` if it is among ``presets``, else the one with the fewest differences.
    Those for the same task are preferred. Empty when there is none at all.
    """
    target = config.values()
    fields = fields_of(target)

    def words(name: str) -> list[str]:
        return [name, *assignments(presets[name].values(), target, fields)]

    alike = [name for name in presets if presets[name].task.kind == config.task.kind]
    candidates = [preset] if preset in presets else alike or list(presets)
    if not candidates:
        return ""
    nearest: list[str] = min(map(words, candidates), key=len)
    return " ".join(map(quoted, ["dltui", "run", *nearest]))


def quoted(word: str) -> str:
    """Return ``word`` quoted for a shell, safe to paste.

    Unsafe characters are escaped as ``$'…'``, which bash, zsh and ksh support.
    """
    if plain(word, len(word)) == word:
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(character: str) -> str:
    if character in "\\'":
        return "\\" + character
    if plain(character) == character:
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"
