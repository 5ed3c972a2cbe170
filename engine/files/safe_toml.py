"""TOML that anybody may have written: all that can be wrong with it is one error, with its line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

_MANY_DIGITS = re.compile(r"[\d_]{4000,}")
_END = "(at end of document)"


class TomlError(ValueError):
    """A text is not TOML; the message has the reason and the line."""


def read(path: Path) -> dict[str, Any]:
    """The content of a file. Raises :class:`TomlError` and ``OSError``."""
    data = path.read_bytes()
    try:
        return loads(data.decode())
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TomlError(f"byte 0x{data[error.start]:02X} is not UTF-8 (at line {line})") from error


def loads(text: str) -> dict[str, Any]:
    """The content of a text. Raises :class:`TomlError`."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason, lines = str(error), text.count("\n") + 1
        raise TomlError(reason.replace(_END, f"(at line {lines}, the end)")) from error
    except RecursionError as error:
        raise TomlError(f"values are nested too deeply (at line {_deepest(text)})") from error
    except ValueError as error:  # Python limits the digits of an integer
        found = _MANY_DIGITS.search(text)
        line = text.count("\n", 0, found.start() if found else 0) + 1
        raise TomlError(f"a number has too many digits (at line {line})") from error


def _deepest(text: str) -> int:
    lines = text.split("\n")
    return 1 + max(range(len(lines)), key=lambda i: lines[i].count("[") + lines[i].count("{"))
