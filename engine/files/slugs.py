"""Names of presets and runs: safe as file names, easy to type."""

from __future__ import annotations

import re

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,63}"
NAME_RULE = "1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter or digit"

_NAME = re.compile(NAME_PATTERN)


def is_name(text: str) -> bool:
    """Whether ``text`` may name a preset or a run."""
    return _NAME.fullmatch(text) is not None


def to_name(text: str, fallback: str = "run") -> str:
    """The nearest valid name to ``text``: ``"My Data (2).csv"`` becomes ``my-data-2-.csv``."""
    kept = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).lstrip("._-")[:64]
    return kept if is_name(kept) else fallback
