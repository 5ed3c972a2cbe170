"""Whether a ``config.toml`` is that of an imported run, see :mod:`engine.runs.imported`."""

from __future__ import annotations

import re

_TABLE = re.compile(r"^\[imported\]$", re.MULTILINE)


def is_imported(text: str) -> bool:
    """Return whether the text has the table ``imported``."""
    return _TABLE.search(text) is not None
