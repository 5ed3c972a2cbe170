"""Completion of file names while they are typed."""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path

from textual.suggester import Suggester

from engine.files.sanitize import plain

_ROOTS = ("/", "./", "../", "~/")
_LOOKED_AT = 20_000
"""Entries of a folder that are read, at most."""


class PathSuggester(Suggester):
    """Suggests the first file or folder with the typed prefix; the disk is read in a thread."""

    def __init__(self, *, rooted: bool = False) -> None:
        """Complete only what begins as a path does if ``rooted``."""
        super().__init__(use_cache=False, case_sensitive=True)
        self._rooted = rooted

    async def get_suggestion(self, value: str) -> str | None:
        """Return ``value`` completed to a name; ``None`` where no name has this prefix."""
        if self._rooted and not value.startswith(_ROOTS):
            return None
        return await asyncio.to_thread(complete, value)


def complete(text: str) -> str | None:
    """Return ``text`` completed to the first entry in order of names; folders end with a slash."""
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
    """Return whether to offer a name: hidden ones only on request, unsafe ones never."""
    hidden = name.startswith(".") and not begun.startswith(".")
    return name.startswith(begun) and name != begun and not hidden and plain(name, 1000) == name
