"""The one door through which text from outside reaches the screen.

Names, file names, log lines, data and messages of errors are shown as they are: markup in them is
not interpreted, escape sequences are made visible (sanitized).
"""

from __future__ import annotations

from textual.content import Content

from engine.files.sanitize import plain


def literal(text: object, limit: int = 200) -> Content:
    """``text`` on one line as it is, at most ``limit`` characters long."""
    return Content(plain(text, limit))


def shortened(name: str, room: int) -> str:
    """Cut in the middle to ``room`` characters: what tells names apart is often at their ends."""
    if len(name) <= room:
        return name
    if room < 1:
        return ""
    end = room // 2
    return f"{name[: room - end - 1]}…{name[len(name) - end :]}"


def end_of(text: Content, cells: int) -> Content:
    """Cut the beginning to fit ``cells``: the end of a path is its file, which tells it apart."""
    if text.cell_length <= cells:
        return text
    while text and text.cell_length >= max(1, cells):
        text = text[1:]
    return Content("…") + text
