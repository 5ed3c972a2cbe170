"""Load on a terminal: bytes a second when idle, latency of a key, start-up time.

    python tests/benchmarks/terminal.py            # about three minutes on two cores
    python tests/benchmarks/terminal.py --quick    # ten seconds at rest in place of thirty

Everything is measured at the other end of a pty of 120×40, with a real training that uses all
cores. Prints a table and writes it with the versions and the machine into ``results/``.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import pty
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import pyte

COLUMNS, ROWS = 120, 40
PATIENCE_SECONDS = 120
TIMES = 9
"""Repetitions of each start."""
KEYS = 60
"""Number of timed keys."""
LIMITS = {
    "monitor at rest, kB/s": 8.0,
    "monitor at rest over a slow link, kB/s": 2.0,
    "key to answer, 95th percentile, ms": 50.0,
    "key to answer over a slow link, 95th percentile, ms": 50.0,
    "first paint of dltui, median, s": 0.5,
    "dltui --help, median, s": 0.25,
}
PRESET = """
title = "Long enough to look at"
[task]
kind = "image_classification"
[data]
kind = "builtin"
name = "digits"
[model]
kind = "cnn"
[train]
epochs = 100000
"""
DLTUI = str(Path(sys.executable).parent / "dltui")


class Terminal:
    """The program in a pty; its output is counted and parsed."""

    def __init__(self, *arguments: str) -> None:
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self.bytes = 0
        self._end, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [DLTUI, *arguments],
            stdin=end, stdout=end, stderr=end, start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
        )  # fmt: skip
        os.close(end)

    def read(self, seconds: float) -> bytes:
        """The next output, empty if it takes longer than ``seconds``."""
        if not select.select([self._end], [], [], seconds)[0]:
            return b""
        block = os.read(self._end, 1 << 16)
        self.bytes += len(block)
        self._stream.feed(block)
        return block

    def read_for(self, seconds: float) -> None:
        """Read everything for a while."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self.read(rest)

    def wait_for(self, text: str) -> None:
        """Read until ``text`` is on the screen."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not any(text in line for line in self.screen.display):
            if time.monotonic() > end:
                raise TimeoutError(f"{text!r} never came:\n" + "\n".join(self.screen.display))
            self.read(0.1)

    def press(self, key: str) -> None:
        """Type a key."""
        os.write(self._end, key.encode())

    def close(self) -> None:
        """Stop the program."""
        self.process.kill()
        self.process.wait()
        os.close(self._end)


def start_run(home: Path) -> subprocess.Popen[bytes]:
    """A training on all cores that outlasts all measurements."""
    (home / "presets").mkdir(parents=True)
    (home / "presets" / "endless.toml").write_text(PRESET)
    return subprocess.Popen([DLTUI, "run", "endless"], stdout=subprocess.DEVNULL)


def at_rest(seconds: float, *arguments: str) -> float:
    """Thousands of bytes a second with the charts of the run on the screen and no key pressed."""
    terminal = Terminal(*arguments)
    open_monitor(terminal)
    terminal.read_for(5)
    before, begin = terminal.bytes, time.monotonic()
    terminal.read_for(seconds)
    rate = (terminal.bytes - before) / (time.monotonic() - begin) / 1000
    terminal.close()
    return rate


def open_monitor(terminal: Terminal) -> None:
    """Open the monitor of the running run from the list, and wait for its charts."""
    terminal.wait_for("endless")
    terminal.press("\r")
    terminal.wait_for("validation")  # "Epoch" is in the line of keys, before anything is drawn


def key_times(*arguments: str) -> list[float]:
    """Milliseconds until a key in the list of presets has moved the cursor, while a run trains.

    The list is on top of a monitor that follows the run; each key is pressed at another moment
    of its refresh interval.
    """
    terminal = Terminal(*arguments)
    terminal.wait_for("endless")
    terminal.press("n")
    terminal.wait_for("5 Run")
    terminal.wait_for("steps")
    terminal.read_for(2)
    times = []
    for number in range(KEYS):
        terminal.read_for(0.11 + 0.013 * (number % 7))
        begin = time.monotonic()
        terminal.press("j" if number % 20 < 10 else "k")
        while not terminal.read(1):
            pass
        times.append(1000 * (time.monotonic() - begin))
    terminal.close()
    return times


def first_paint() -> float:
    """Seconds from the call until the list of runs is on the screen."""
    begin = time.monotonic()
    terminal = Terminal()
    terminal.wait_for("Quit")
    taken = time.monotonic() - begin
    terminal.close()
    return taken


def help_time() -> float:
    """Run time of ``dltui --help`` in seconds."""
    begin = time.monotonic()
    subprocess.run([DLTUI, "--help"], stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begin


def measure(seconds: float) -> dict[str, float]:
    """All figures, in the order of :data:`LIMITS`."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DLTUI_HOME"] = folder
        starts = [first_paint() for _ in range(TIMES)]
        helps = [help_time() for _ in range(TIMES)]
        run = start_run(Path(folder))
        try:
            figures = [
                at_rest(seconds),
                at_rest(seconds, "--slow-link"),
                statistics.quantiles(key_times(), n=20)[-1],
                statistics.quantiles(key_times("--slow-link"), n=20)[-1],
                statistics.median(starts),
                statistics.median(helps),
            ]
        finally:
            run.terminate()
            run.wait()
            subprocess.run([DLTUI, "stop", "endless"], capture_output=True, check=False)
    return dict(zip(LIMITS, figures, strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and save."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    figures = measure(10 if parser.parse_args(arguments).quick else 30)
    for name, value in figures.items():
        word = "" if value <= LIMITS[name] else "  too much"
        print(f"{name:<52} {value:8.2f}   at most {LIMITS[name]:g}{word}")
    record = {
        "figures": figures,
        "limits": LIMITS,
        "versions": {name: version(name) for name in ("textual", "plotext", "torch")},
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    path = Path(__file__).parent / "results" / "terminal.json"
    path.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
