"""The animated picture of the README."""

from __future__ import annotations

import re
import runpy
import xml.etree.ElementTree as ET
from io import StringIO
from pathlib import Path

from rich.console import Console

DOCS = Path(__file__).resolve().parents[2] / "docs"


RECORDING = runpy.run_path(str(DOCS / "recording.py"), run_name="recording")


def screen(text: str) -> str:
    """A picture of a terminal, as the application exports it."""
    console = Console(record=True, width=20, file=StringIO())
    console.print(text)
    return console.export_svg(title="")


def checked(picture: str, frames: int) -> None:
    """Check that a picture shows its frames one after the other and loads nothing."""
    root = ET.fromstring(picture)
    assert len(root.findall("{*}g")) == frames
    assert len(re.findall(r"@keyframes k\d+ ", picture)) == frames
    assert not re.search(r"url\((?!#)|@import|<script|href=", picture)
    names = re.findall(r'id="([^"]+)"', picture)
    assert len(names) == len(set(names))


def test_frames_are_shown_in_turn_each_with_its_own_style() -> None:
    picture = RECORDING["animated"]([screen("one"), screen("one"), screen("two")])
    checked(picture, 3)
    assert picture.count(">one<") == 2
    shown = re.findall(r"([\d.]+)% \{ visibility: visible; \}", picture)
    assert list(map(float, shown)) == [0, 20, 40]


def test_the_picture_in_the_readme_is_one_of_these() -> None:
    checked((DOCS / "monitor.svg").read_text(), RECORDING["FRAMES"])
    assert "docs/monitor.svg" in (DOCS.parent / "README.md").read_text()
