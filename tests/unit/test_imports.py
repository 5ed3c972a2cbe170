"""Modules loaded in a clean interpreter: the terminal must start quickly and stay small."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.config.tasks.base import TaskConfig
from engine.config.tasks.registry import TASKS
from tui.screens.registry import SCREENS, load_screens

HEAVY = {
    "torch", "torchvision", "transformers", "datasets", "peft", "tokenizers", "huggingface_hub",
    "sklearn", "scipy", "pandas", "pyarrow", "numpy", "safetensors", "PIL", "sacrebleu",
}  # fmt: skip

ALL_OF_TUI = """
import importlib, pkgutil, tui
names = [m.name for m in pkgutil.walk_packages(tui.__path__, "tui.") if m.name != "tui.__main__"]
assert len(names) > 15, names
for name in names:
    importlib.import_module(name)
"""
HELP = """
from tui.__main__ import main
try:
    main(["--help"])
except SystemExit:
    pass
"""
RUNS = """
from tui.__main__ import main
main(["runs"])
main(["presets"])
"""
CONFIGURATION = """
from engine.config.run_config import REGISTRIES
for registry in REGISTRIES.values():
    for kind in registry:
        registry[kind]
"""


FIRST_SCREEN = """
import asyncio
from tui.app import DltuiApp

async def paint():
    async with DltuiApp().run_test(size=(120, 40)) as pilot:
        await pilot.pause()

asyncio.run(paint())
"""


def loaded_by(program: str) -> set[str]:
    """Names of all modules that are loaded after ``program`` has run in a fresh interpreter."""
    last = "\nimport sys, json; print(); print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program + last], capture_output=True, text=True, check=True
    )
    return set(json.loads(result.stdout.splitlines()[-1]))


def packages(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_nothing_of_the_terminal_loads_anything_heavy() -> None:
    assert not packages(loaded_by(ALL_OF_TUI)) & HEAVY


def test_the_first_screen_waits_for_no_configuration() -> None:
    loaded = loaded_by(FIRST_SCREEN)
    assert "tui.screens.runs.screen" in loaded
    assert not packages(loaded) & {"pydantic", "tomlkit"}
    assert "engine.config.run_config" not in loaded


def test_the_first_screen_of_an_empty_list_waits_for_no_charts_and_dialogs() -> None:
    later = {"tui.charts.chart", "engine.runs.history", "tui.widgets.dialog", "importlib.metadata"}
    assert not loaded_by(FIRST_SCREEN) & later


def test_screens_are_imported_outside_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_screen.py").write_text(
        "import threading\nTHREAD = threading.current_thread()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(SCREENS, "slow", "slow_screen:SlowScreen")
    asyncio.run(load_screens(["slow"]))
    assert sys.modules["slow_screen"].THREAD is not threading.main_thread()


def test_the_kinds_of_all_sections_are_loaded_with_the_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "form_of_a_test.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(SCREENS, "new run", "form_of_a_test:Form")
    loaded: dict[str, type[TaskConfig]] = {}
    monkeypatch.setattr(TASKS, "_loaded", loaded)
    asyncio.run(load_screens(["new run"]))
    assert set(loaded) >= {*TASKS}


def test_training_on_tables_and_series_loads_nothing_for_images() -> None:
    loaded = loaded_by(
        "import engine.training.run, engine.data.readers.files\n"
        "import engine.tasks.forecasting, engine.tasks.tabular_classification"
    )
    assert "torch" in loaded
    assert not packages(loaded) & {"PIL", "torchvision", "transformers", "datasets", "peft"}


def test_help_loads_neither_screens_nor_the_metadata_of_packages() -> None:
    loaded = loaded_by(HELP)
    assert not packages(loaded) & {"textual", "engine", "email", "difflib"}


def test_the_whole_configuration_loads_nothing_heavy() -> None:
    assert not packages(loaded_by(CONFIGURATION)) & (HEAVY | {"textual"})


def test_help_loads_neither_the_engine_nor_the_screens() -> None:
    assert not packages(loaded_by(HELP)) & (HEAVY | {"engine", "textual", "pydantic"})


def test_module_names_of_version_0_1_still_work_and_say_where_the_module_is() -> None:
    program = """
import warnings
warnings.simplefilter("error")
try:
    import engine.events
except DeprecationWarning as warning:
    assert "engine.runs.events" in str(warning)
else:
    raise AssertionError("no warning")
warnings.simplefilter("ignore")
from engine.events import Evaluated
from engine.fields import option
from engine.runs import events
assert Evaluated is events.Evaluated
"""
    assert "engine.runs.events" in loaded_by(program)


def test_lists_load_no_screens() -> None:
    assert not packages(loaded_by(RUNS)) & (HEAVY | {"textual", "rich"})
