"""The message on a path that does not exist."""

from __future__ import annotations

import difflib
from pathlib import Path

from engine.files.paths import is_folder
from engine.files.sanitize import plain


def where_instead(place: Path) -> str:
    """Return a sentence: the entry of the folder with the nearest name, or the folder itself."""
    folder = place.parent
    if not is_folder(folder):
        return f"The folder {plain(folder)} does not exist either."
    near = difflib.get_close_matches(place.name, [entry.name for entry in folder.iterdir()], 1)
    if near:
        return f"Did you mean {plain(near[0])}?"
    return f"It is looked for in {plain(folder.resolve())}."
