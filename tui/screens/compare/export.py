"""The tables of a comparison as a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from textual.screen import Screen

from engine.errors import UserError
from engine.runs.comparison import Comparison, write_comparison
from tui.widgets.notify import complain, tell


def export(screen: Screen[None], comparison: Comparison, path: Path) -> None:
    """Write a comparison in a thread, and notify the user of the result."""
    screen.run_worker(partial(_write, screen, comparison, path), thread=True, exit_on_error=False)


def _write(screen: Screen[None], comparison: Comparison, path: Path) -> None:
    try:
        write_comparison(comparison, path)
    except UserError as error:
        screen.app.call_from_thread(complain, screen, error)
    else:
        screen.app.call_from_thread(tell, screen, f"Written to {path}.")
