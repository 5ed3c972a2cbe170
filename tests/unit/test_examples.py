"""Commands that help texts and pages print can be run as they are printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from engine.config.presets import find_preset, load_preset
from engine.config.run_config import fields_of
from engine.sweep.space import is_space

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
HELP = [*(ROOT / "tui" / "cli" / "commands").glob("*.py")]
COMMAND = re.compile(r"^ *dltui (?:run|folds|check|sweep|submit|queue add) +([a-z0-9]+-.*)$", re.M)


def examples() -> list[str]:
    found = [COMMAND.findall(page.read_text()) for page in (*PAGES, *HELP)]
    printed = (re.sub(r"   +\(.*\)$|  +#.*$", "", line) for lines in found for line in lines)
    return sorted({line for line in printed if "--task" not in line and "…" not in line})


def test_there_are_examples() -> None:
    assert len(examples()) > 10


@pytest.mark.parametrize("line", examples())
def test_an_example_names_a_preset_and_fields_that_there_are(line: str) -> None:
    preset, *words = shlex.split(line)
    fields = [word for word in words if re.match(r"[a-z]+(\.\w+)*=", word)]
    known = fields_of(load_preset(find_preset(preset), []).values())
    single = [text for text in fields if not _is_space(text, known)]
    load_preset(find_preset(preset), single)


def _is_space(text: str, known: object) -> bool:
    name, _, value = text.partition("=")
    assert isinstance(known, dict)
    return is_space(value, known.get(name))
