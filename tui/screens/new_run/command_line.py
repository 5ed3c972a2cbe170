"""The command that starts the same run without a screen."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from engine.config.fields import FieldSpec
from engine.config.overrides import Tree, assignments
from engine.config.run_config import RunConfig, fields_of
from engine.files.sanitize import plain


def command_line(config: RunConfig, presets: Mapping[str, RunConfig], preset: str = "") -> str:
    """Return the command for the same run: with the fewest words, from a preset or from none.

    Of the ``presets`` those for the same task are compared; ``preset`` is taken before others that
    need as many words.
    """
    target = config.values()
    fields = fields_of(target)
    starts = {name: start for name, start in presets.items() if start.task.kind == config.task.kind}
    candidates = [
        [name, *assignments(start.values(), target, fields)]
        for name, start in sorted(starts.items(), key=lambda one: one[0] != preset)
    ]
    words = min([*candidates, _from_nothing(target, fields)], key=len)
    return " ".join(map(quoted, ["dltui", "run", *words]))


def _from_nothing(target: Tree, fields: Mapping[str, FieldSpec]) -> list[str]:
    """Return all fields that differ from their defaults, kinds included."""
    other_kinds = {name: {"kind": ""} for name in target}  # so that all sections start afresh
    words = assignments(other_kinds, target, fields)
    named = any(word.startswith("name=") for word in words)
    return words if named else [f"name={target['name']}", *words]


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
