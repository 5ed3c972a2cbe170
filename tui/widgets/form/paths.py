"""Completes names of files while they are typed."""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path

from textual.suggester import Suggester

from engine.files.sanitize import plain

_ROOTS = ("/", "./", "../", "~/")
_LOOKED_AT = 20_000
"""Entries of a folder that are looked at."""


class PathSuggester(Suggester):
    """Suggests the first file or folder that begins as typed; the disk is read in a thread."""

    def __init__(self, *, rooted: bool = False) -> None:
        """``rooted`` completes only what begins as a path does, and so is no other text."""
        super().__init__(use_cache=False, case_sensitive=True)
        self._rooted = rooted

    async def get_suggestion(self, value: str) -> str | None:
        """``value`` with the rest of a name, ``None`` where nothing begins so."""
        if self._rooted and not value.startswith(_ROOTS):
            return None
        return await asyncio.to_thread(complete, value)


def complete(text: str) -> str | None:
    """``text`` completed to the first entry in order of names; folders end with a slash."""
    folder, slash, begun = text.rpartition("/")
    try:
        with os.scandir(Path(folder + slash or ".").expanduser()) as entries:
            names = [_name(entry) for entry in itertools.islice(entries, _LOOKED_AT)]
    except (OSError, RuntimeError, ValueError):  # unreadable, no such home, a zero byte
        return None
    suitable = sorted(name for name in names if _suits(name, begun))
    return folder + slash + suitable[0] if suitable else None


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name + ("/" if entry.is_dir() else "")


def _suits(name: str, begun: str) -> bool:
    """Hidden entries only when asked for; names that would harm the terminal never."""
    hidden = name.startswith(".") and not begun.startswith(".")
    return name.startswith(begun) and name != begun and not hidden and plain(name, 1000) == name
