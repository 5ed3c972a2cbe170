"""Sanitize text from outside: nothing in it may reach a terminal as a command.

Every label, file name, log line and cell of data goes through :func:`plain` before it is shown.
"""

from __future__ import annotations

import re

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_INVISIBLE = re.compile(f"[\x00-\x1f\x7f-\x9f{_BIDI}\ufeff\u2028\u2029\ud800-\udfff]")
_CONTROL_PICTURES = 0x2400


def plain(text: object, limit: int = 200) -> str:
    """``text`` on one line of at most ``limit``, control and direction characters made visible."""
    raw = str(text)
    shown = _INVISIBLE.sub(_picture, raw[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def first_line(error: BaseException, limit: int = 300) -> str:
    """Return the first line of an error's message, its type where it has none."""
    lines = str(error).strip().splitlines()
    return plain(lines[0], limit) if lines else type(error).__name__


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code in (0x09, 0x0A, 0x0D):
        return " "
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    return "␡" if code == 0x7F else "�"
