"""The messages that were shown in the corner."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from textual.content import Content

from tui.format.text import literal
from tui.screens.dialogs.base import ReadScreen
from tui.widgets.notify import Messages


class MessagesScreen(ReadScreen):
    """All messages since the program was opened, the newest first."""

    def __init__(self, messages: Messages) -> None:
        super().__init__("Messages", list(_lines(messages)))


def _lines(messages: Messages) -> Iterator[Content]:
    for message in reversed(messages):
        at = Content.styled(f"{datetime.fromtimestamp(message.time):%H:%M}  ", "$foreground 60%")
        yield at + literal(message.text, 500).stylize("$text-error" if message.error else "")
    if not messages:
        yield Content("None so far.")
