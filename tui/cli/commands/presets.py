"""``dltui presets``: the experiments that are kept by name."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from engine.config.presets import Preset, list_presets
from tui.cli import console
from tui.cli.exit_codes import DONE


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="a list of objects, for programs")


def execute(options: Namespace) -> int:
    """List all presets, those of the program and the user's own."""
    presets = list_presets()
    if options.json:
        console.as_json([_record(preset) for preset in presets])
    else:
        console.table(("preset", "task", "needs", "title"), list(map(_row, presets)))
    return DONE


def _record(preset: Preset) -> dict[str, object]:
    return {
        "name": preset.name,
        "task": preset.task,
        "title": preset.title,
        "path": str(preset.path),
        "needs": list(preset.needs),
    }


def _row(preset: Preset) -> tuple[str, str, str, str]:
    if preset.problem:
        return preset.name, "–", "–", f"cannot be used: {preset.problem}"
    return preset.name, preset.task, ", ".join(preset.needs), preset.title
