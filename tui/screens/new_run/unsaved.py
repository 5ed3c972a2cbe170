"""The question before unsaved changes are lost."""

from __future__ import annotations

from collections.abc import Callable

from textual.screen import Screen

from tui.screens.dialogs.confirm import ConfirmScreen


def unless_unsaved(
    screen: Screen[None], changes: int, what: str, then: Callable[[], object]
) -> None:
    """Call ``then``, which loses the ``changes``; confirm first that ``what`` may lose them."""

    def answered(yes: bool | None) -> None:
        if yes:
            screen.call_next(then)

    if not changes:
        answered(True)
        return
    lost = "1 change is" if changes == 1 else f"{changes} changes are"
    question = f"{lost} not saved. {what.capitalize()} and lose them?"
    screen.app.push_screen(ConfirmScreen(question, risky=True), answered)
