"""The screens that other screens open, by name: screens do not import each other."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from importlib import import_module
from pkgutil import resolve_name
from typing import Any

from textual.screen import Screen

from engine.errors import UserError
from engine.runs.directory import RunDirectory

SCREENS = {
    "adapters": "tui.screens.adapters.screen:AdaptersScreen",
    "chat": "tui.screens.chat.screen:ChatScreen",
    "command output": "tui.screens.dialogs.output:OutputScreen",
    "compare": "tui.screens.compare.screen:CompareScreen",
    "confirm": "tui.screens.dialogs.confirm:ConfirmScreen",
    "data check": "tui.screens.new_run.data_check:DataCheckScreen",
    "explanation": "tui.screens.dialogs.explanation:ExplanationScreen",
    "images": "tui.screens.new_run.contact_sheet:ContactSheetScreen",
    "keys": "tui.screens.dialogs.keys:KeysScreen",
    "messages": "tui.screens.dialogs.messages:MessagesScreen",
    "model check": "tui.screens.new_run.model_check:ModelCheckScreen",
    "monitor": "tui.screens.monitor.screen:MonitorScreen",
    "new run": "tui.screens.new_run.screen:NewRunScreen",
    "picture": "tui.screens.dialogs.picture:PictureScreen",
    "presets": "tui.screens.presets.screen:PresetsScreen",
    "queue": "tui.screens.queue:QueueScreen",
    "read": "tui.screens.dialogs.base:ReadScreen",
    "results": "tui.screens.results.screen:ResultsScreen",
    "save preset": "tui.screens.presets.save_preset:SavePresetScreen",
    "sweeps": "tui.screens.sweeps.screen:SweepsScreen",
    "targets": "tui.screens.new_run.targets:TargetsScreen",
    "trash": "tui.screens.runs.trash:TrashScreen",
    "try it": "tui.screens.try_it:TryItScreen",
}
"""Import path of each screen; it is imported when it is first opened."""


_FORM = "tui.screens.new_run.sections:sections_of"
_DRAFT = "tui.screens.new_run.draft:Draft"


async def load_screens(names: Sequence[str]) -> None:
    """Import screens in a thread: some need the whole configuration, half a second."""
    modules = [SCREENS[name].partition(":")[0] for name in names]
    if any(module not in sys.modules for module in modules):
        await asyncio.to_thread(_load, modules, "new run" in names)


def _load(modules: Sequence[str], form: bool) -> None:
    """Import modules; for a ``form``, load the kinds of all sections too."""
    for module in modules:
        import_module(module)
    if form:
        resolve_name(_FORM)(resolve_name(_DRAFT)(), True, {})


def make_screen(name: str, *arguments: Any) -> Screen[Any]:
    """Create a screen with the arguments of its class."""
    screen: Screen[Any] = resolve_name(SCREENS[name])(*arguments)
    return screen


def screen_of(run: RunDirectory) -> Screen[Any]:
    """Create a run's results, or its monitor while it is running."""
    finished = run.status.state().ended and run.report.path.exists()
    return make_screen("results" if finished else "monitor", run)


def try_screen(
    run: RunDirectory, others: Sequence[RunDirectory] = (), talk: Any = None, ask: Any = None
) -> Screen[Any]:
    """Create the screen on which models are tried: a conversation if all of them write answers.

    ``talk`` is the helper process of the caller, ``ask`` its way to ask it.
    """
    if all(_converses(one) for one in (run, *others)):
        return make_screen("chat", run, talk, others)
    return make_screen("try it", run, ask, others)


def _converses(run: RunDirectory) -> bool:
    try:
        return run.config.read().task.converses
    except UserError:
        return False  # the screen says what is wrong with the run
