"""The installed program as users run it: in a process and a terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyte
import pytest

DLTUI = str(Path(sys.executable).parent / "dltui")
PATIENCE_SECONDS = 120
"""The time-out of every condition."""

KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "delete": "\x1b[3~",
    "backspace": "\x7f",
    "space": " ",
}


def _begin_in_terminal() -> None:
    """Act like the child of a shell in a terminal, even if the tests run under nohup."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Terminal:
    """A pseudo-terminal with a program in it: it takes keys, and its screen can be read."""

    def __init__(
        self,
        arguments: Sequence[str],
        columns: int = 100,
        rows: int = 30,
        folder: Path | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.output = b""
        """The complete output of the program."""
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.modes = termios.tcgetattr(self._slave)
        """The terminal's settings before the program started."""
        self.process = subprocess.Popen(
            arguments,
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            cwd=folder,
            start_new_session=True,
            preexec_fn=_begin_in_terminal,
            env=os.environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"},
        )

    def press(self, *keys: str) -> None:
        """Type keys: names from :data:`KEYS`, ``ctrl+x``, or text as it is."""
        for key in keys:
            control = key.startswith("ctrl+")
            text = chr(ord(key[-1]) & 0x1F) if control else KEYS.get(key, key)
            os.write(self._master, text.encode())
            self.read(0.05)

    def read(self, seconds: float) -> None:
        """Read the program's output for ``seconds``."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            if not select.select([self._master], [], [], rest)[0]:
                return
            block = os.read(self._master, 1 << 16)
            self.output += block
            self._stream.feed(block)

    @property
    def text(self) -> str:
        """The screen, line by line."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def settings(self) -> list[object]:
        """The current settings of the terminal."""
        return termios.tcgetattr(self._slave)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Read until ``condition`` holds."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, f"{what} never came:\n{self.text}"
            self.read(0.1)

    def wait_for(self, *texts: str) -> None:
        """Read until all of ``texts`` are on the screen."""
        self.wait_until(lambda: all(text in self.text for text in texts), repr(texts))

    def wait_for_exit(self) -> int:
        """Read until the program has exited; return its exit status."""
        self.wait_until(lambda: self.process.poll() is not None, "the end of the program")
        self.read(0.1)
        return self.process.returncode

    def close(self) -> None:
        """Kill the program if it still runs, and close the terminal."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    """A function that opens ``dltui`` with some arguments in a terminal of 80×24."""
    opened: list[Terminal] = []

    def open_one(
        *arguments: str, columns: int = 80, rows: int = 24, folder: Path | None = None
    ) -> Terminal:
        opened.append(Terminal([DLTUI, *arguments], columns, rows, folder))
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.close()


@pytest.fixture
def dltui() -> Callable[..., subprocess.CompletedProcess[str]]:
    """A function that runs ``dltui`` with some arguments until it exits, without a terminal."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [DLTUI, *arguments],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_SECONDS,
        )

    return call


@pytest.fixture(autouse=True)
def no_run_is_left(home: Path) -> Iterator[None]:
    """Kill the workers that a test has left running."""
    from engine.runs.directory import all_runs

    yield
    for run in all_runs(home / "runs"):
        worker = run.status.worker()
        if worker is not None and worker.pid != os.getpid() and worker.alive():
            os.kill(worker.pid, signal.SIGKILL)
