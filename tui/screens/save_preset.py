"""The experiment of a run as a preset."""

from __future__ import annotations

from textual.screen import Screen

from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from tui.screens.registry import make_screen
from tui.widgets.notify import complain, tell


def save_preset_of(screen: Screen[None], run: str) -> None:
    """Save the configuration of the run with this id as a preset that the user names."""
    try:
        config = RunDirectory.open(runs_folder(), run).config.read()
    except UserError as error:
        complain(screen, error)
        return
    screen.app.push_screen(
        make_screen("save preset", config),
        lambda preset: tell(screen, f"Saved as {preset.name}.") if preset else None,
    )
