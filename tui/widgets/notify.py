"""Short messages in the corner; their text is never interpreted."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from textual.widget import Widget

from engine.errors import UserError
from tui.format.text import literal

KEPT = 200
"""Messages that can be read again."""


@dataclass(frozen=True)
class Shown:
    """A message that was shown."""

    time: float
    """Seconds since 1970."""
    text: str
    error: bool


Messages = deque[Shown]
"""The newest messages of an app, its attribute ``messages``; they outlive their few seconds."""


def tell(widget: Widget, text: object, seconds: float | None = None) -> None:
    """Show a message that something was done, for some ``seconds`` or the usual time."""
    shown = literal(text, 400).plain
    _keep(widget, shown, error=False)
    widget.app.notify(shown, timeout=seconds, markup=False)


def complain(widget: Widget, error: Exception) -> None:
    """Show an error; its sign tells it from other messages where colours do not."""
    shown = literal(f"! {error}", 500).plain
    _keep(widget, shown, error=True)
    widget.app.notify(shown, severity="error", timeout=10, markup=False)


def _keep(widget: Widget, text: str, error: bool) -> None:
    messages: Messages | None = getattr(widget.app, "messages", None)
    if messages is not None:
        messages.append(Shown(time.time(), text, error))


def in_thread(
    widget: Widget,
    action: Callable[[], object],
    done: str = "",
    then: Callable[[], object] = lambda: None,
) -> None:
    """Run ``action`` in a thread; show its error, or else the message ``done``.

    ``then`` is called in the thread afterwards.
    """

    def work() -> None:
        try:
            action()
        except (UserError, OSError) as error:
            widget.app.call_from_thread(complain, widget, error)
        else:
            if done:
                widget.app.call_from_thread(tell, widget, done)
        then()

    widget.run_worker(work, thread=True, group="actions")
