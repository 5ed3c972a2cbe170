"""The machine and the queue in one line below the list of runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from textual.content import Content

from engine.files.paths import runs_folder
from engine.queue import entries
from engine.runs.events import Resources
from tui.charts.canvas import Canvas
from tui.format.numbers import size
from tui.format.text import literal
from tui.terminal.key_names import key_of
from tui.widgets.progress import bar
from tui.widgets.visible_feed import VisibleFeed

LEAST_HEIGHT = 30
"""Rows of a screen that has a line to spare."""
_SECONDS = 5.0, 20.0
"""Between two measurements: usually, and over a slow connection."""
_BAR = 8
_FULL = 0.9
"""Share from which a bar has its warning colour."""
_MUTED = "$foreground 60%"


@dataclass(frozen=True)
class Machine:
    """A measurement of the machine, and the length of its queue."""

    use: Resources
    free: int
    """Bytes of the disk with the runs that are free for this user."""
    waiting: int
    """Runs in the queue."""
    working: bool
    """Whether they are started one after the other."""


class MachineStrip(Canvas):
    """Measures in a thread while it is visible."""

    def __init__(self) -> None:
        super().__init__(id="machine")
        self.feed = VisibleFeed(self, _measure, self._show, _SECONDS)

    def on_unmount(self) -> None:
        """Stop the thread at once."""
        self.feed.end()

    def fit(self, height: int) -> None:
        """Show or hide the line for a screen of this height."""
        self.feed.display(height >= LEAST_HEIGHT)

    def _show(self, machine: Machine) -> None:
        self.show([Content("   ").join(gauges(machine, key_of(self.app, "queue")))])


def _measure() -> Iterator[Machine]:
    from engine.hardware import resources  # the first paint need not wait for it

    resources.begin()
    folder = runs_folder()
    free = shutil.disk_usage(folder).free if folder.exists() else 0
    yield Machine(resources.measure(), free, len(entries.entries()), entries.running())


def gauges(machine: Machine, queue_key: str) -> Iterator[Content]:
    """Yield CPU, memory, each GPU, the disk and the queue, which ``queue_key`` opens."""
    use = machine.use
    yield _gauge("CPU", use.cpu_percent / 100, f"{use.cpu_percent:.0f} %")
    of_memory = f"{size(use.memory)} of {size(use.memory_total)}"
    yield _gauge("memory", use.memory / (use.memory_total or 1), of_memory)
    for place, gpu in enumerate(use.gpus):
        yield _gpu(place, gpu)
    if machine.free:
        yield _named("disk", f"{size(machine.free)} free")
    if machine.waiting:
        how = "running" if machine.working else f"not started; {queue_key} opens it"
        yield _named("queue", f"{machine.waiting} run{'s' * (machine.waiting != 1)}, {how}")


def _gpu(place: int, gpu: Mapping[str, Any]) -> Content:
    total = gpu.get("memory_total") or 0
    load = f"{gpu['load_percent']} %, " if "load_percent" in gpu else ""
    text = f"{load}{size(gpu.get('memory', 0))} of {size(total)}"
    return _gauge(f"GPU {place}", gpu.get("memory", 0) / (total or 1), text)


def _gauge(name: str, share: float, text: str) -> Content:
    filled = bar(share, _BAR)
    style = "$warning" if share >= _FULL else "$primary"
    rest = Content.styled("·" * (_BAR - len(filled)), _MUTED)
    return _named(name, "") + Content.styled(filled, style) + rest + literal(f" {text}")


def _named(name: str, text: str) -> Content:
    return Content.styled(f"{name} ", _MUTED) + literal(text)
