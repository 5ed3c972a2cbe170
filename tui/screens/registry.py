"""The screens that other screens open, by name: screens do not import each other."""

from __future__ import annotations

from typing import Any

from textual.screen import Screen

from engine.config.registry import resolve

SCREENS = {
    "adapters": "tui.screens.adapters.screen:AdaptersScreen",
    "compare": "tui.screens.compare.screen:CompareScreen",
    "model check": "tui.screens.new_run.model_check:ModelCheckScreen",
    "monitor": "tui.screens.monitor.screen:MonitorScreen",
    "new run": "tui.screens.new_run.screen:NewRunScreen",
    "presets": "tui.screens.presets.screen:PresetsScreen",
    "results": "tui.screens.results:ResultsScreen",
    "save preset": "tui.screens.presets.save_preset:SavePresetScreen",
    "sweeps": "tui.screens.sweeps.screen:SweepsScreen",
    "targets": "tui.screens.new_run.targets:TargetsScreen",
    "trash": "tui.screens.runs.trash:TrashScreen",
    "try it": "tui.screens.try_it:TryItScreen",
}
"""Import path of each screen; it is imported when it is first opened."""


def make_screen(name: str, *arguments: Any) -> Screen[Any]:
    """Create a screen with the arguments of its class."""
    screen: Screen[Any] = resolve(SCREENS[name])(*arguments)
    return screen
