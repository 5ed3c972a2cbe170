"""Short messages in the corner; their text is never interpreted."""

from __future__ import annotations

from collections.abc import Callable

from textual.widget import Widget

from engine.errors import UserError
from tui.format.text import literal


def tell(widget: Widget, text: object) -> None:
    """Show a message that something was done."""
    widget.app.notify(literal(text, 300).plain, markup=False)


def complain(widget: Widget, error: Exception) -> None:
    """Show an error; its sign tells it from other messages where colours do not."""
    widget.app.notify(literal(f"! {error}", 500).plain, severity="error", timeout=10, markup=False)


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
