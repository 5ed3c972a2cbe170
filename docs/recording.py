"""Record the monitor while a run trains, as one animated picture: ``docs/monitor.svg``.

``make recording`` trains the preset digits-cnn for real, in a folder of its own, and keeps the
screen at equal steps of its progress.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from textual.pilot import Pilot

from engine.config.presets import find_preset, load_preset
from engine.launch.start import launch
from engine.runs.directory import RunDirectory
from engine.runs.events import Progress
from tui.app import DltuiApp
from tui.screens.monitor.screen import MonitorScreen
from tui.settings import Settings

SIZE = (110, 32)
FRAMES = 10
SECONDS = 1.2
"""Time of a frame; the last one stays three times as long."""
LONGEST = 600.0
"""Seconds after which a run that does not end is given up."""
EPOCHS = 30
_OUTER = re.compile(r"<svg [^>]*viewBox=\"(?P<box>[^\"]+)\"[^>]*>(?P<inner>.*)</svg>", re.DOTALL)
_LEFT_OUT = re.compile(
    r"@font-face \{.*?\}"
    r"|<clipPath id=\"[^\"]*-line-.*?</clipPath>"
    r"| clip-path=\"url\(#[^\"]*-line-\d+\)\"",
    re.DOTALL,
)
"""Fonts from elsewhere, and the clipping of each line."""
_PREFIX = re.compile(r"terminal-\d+")


async def record() -> list[str]:
    """Train, and return the screen of the monitor at equal steps of its progress."""
    config = load_preset(
        find_preset("digits-cnn"), [f"train.epochs={EPOCHS}", "compute.device=cpu"]
    )
    run = launch(config).run
    app = DltuiApp(settings=Settings(theme="dark", characters="all"))
    frames: list[str] = []
    async with app.run_test(size=SIZE) as pilot:
        app.push_screen(MonitorScreen(run))
        for number in range(1, FRAMES + 1):
            await _until(pilot, run, number / FRAMES)
            frames.append(app.export_screenshot(title=""))
    return frames


async def _until(pilot: Pilot[object], run: RunDirectory, share: float) -> None:
    """Wait until this share of the updates was made and shown; for the whole, until the end."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        progress = run.events.last(Progress)
        done = progress.step / progress.steps if isinstance(progress, Progress) else 0.0
        if run.status.state().ended or (share < 1 and done >= share):
            await pilot.pause(1.5)  # the monitor reads and paints
            return
        await pilot.pause(0.05)
    raise TimeoutError("The run did not end.")


def animated(frames: list[str]) -> str:
    """Return one picture that shows the frames in turn, each in its own group."""
    parts = [match for frame in frames if (match := _OUTER.search(frame))]
    whole = SECONDS * (len(parts) + 2)
    style = [
        f".frame {{ visibility: hidden; animation: none {whole:g}s step-end infinite; }}",
        *(_shown(number, len(parts), whole) for number in range(len(parts))),
    ]
    groups = [
        f'<g class="frame f{number}">{_short(part["inner"], number)}</g>'
        for number, part in enumerate(parts)
    ]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{parts[0]["box"]}">',
        "<style>", *style, "</style>", *groups, "</svg>\n",
    ])  # fmt: skip


def _short(inner: str, number: int) -> str:
    """Return a frame with short names of its own, without what is the same without it."""
    return _PREFIX.sub(f"t{number}", _LEFT_OUT.sub("", inner))


def _shown(number: int, count: int, whole: float) -> str:
    """Return the style that shows one frame in its part of the time, the last one to the end."""
    begin = 100 * SECONDS * number / whole
    end = 100.0 if number == count - 1 else 100 * SECONDS * (number + 1) / whole
    before = "0% { visibility: hidden; } " if number else ""
    after = "" if end == 100.0 else f" {end:.3f}% {{ visibility: hidden; }}"
    return (
        f"@keyframes k{number} {{ {before}{begin:.3f}% {{ visibility: visible; }}{after} }}\n"
        f".f{number} {{ animation-name: k{number}; }}"
    )


def main() -> None:
    """Write the picture beside this file, or to the path that is given."""
    target = Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("monitor.svg")
    with tempfile.TemporaryDirectory() as home:
        os.environ["DLTUI_HOME"] = home
        target.write_text(animated(asyncio.run(record())))


if __name__ == "__main__":
    main()
