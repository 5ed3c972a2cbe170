"""The field that the error message of a failed run is about."""

from __future__ import annotations

import re

from tui.screens.new_run.values import Values

_DOTTED = re.compile(r"\b[a-z]+(?:\.[a-z_]\w*)+")
_SHORTEST = 4
"""Characters of a value that is found in a message, at least: shorter ones are found anywhere."""


def blamed(values: Values, message: str) -> str:
    """Return the first field that a message names, or whose text it quotes; empty for none."""
    for found in _DOTTED.finditer(message):
        if found.group() in values.fields:
            return found.group()
    for name, spec in values.fields.items():
        text = values.text(name) if spec.kind == "text" else ""
        if len(text) >= _SHORTEST and "." in name and text in message:
            return name
    return ""
