"""Presets of a draft: it is saved as one, and replaced by others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual.screen import Screen

from engine.config.presets import Preset
from tui.screens.new_run.draft_form import DraftForm
from tui.screens.new_run.unsaved import unless_unsaved
from tui.screens.registry import make_screen
from tui.widgets.notify import tell


class DraftPresets:
    """Saves and loads presets; unsaved changes are lost after a confirmation only."""

    def __init__(self, screen: Screen[None], form: DraftForm, saved: Callable[[], object]) -> None:
        """Call ``saved`` after a preset was written."""
        self._screen = screen
        self._form = form
        self._saved = saved

    def save(self) -> None:
        """Save the experiment as a preset."""

        async def named(preset: Preset | None) -> None:
            if preset is not None:
                self._form.draft.saved_as(preset.name)
                self._saved()
                await self._form.show_draft()
                tell(self._screen, f"Saved as {preset.name}.")

        config = self._form.config
        if config is None:
            self._form.point_at_problem()
        else:
            self._screen.app.push_screen(make_screen("save preset", config), named)

    def load(self) -> None:
        """Load a preset."""

        def chosen(preset: Preset | None) -> None:
            if preset is not None:
                load = partial(self._form.load, preset)
                changes = len(self._form.draft.changes)
                unless_unsaved(self._screen, changes, f"load {preset.name}", load)

        self._screen.app.push_screen(make_screen("presets"), chosen)
