"""The terminal at the program's start and exit, observed from the other end of a pty."""

from __future__ import annotations

import copy
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyte
import pytest

from engine.files.paths import logs_folder

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120

_CRASHING = """
import sys
from tui.screens.runs.screen import RunsScreen
def boom(self, name):
    raise ValueError("boom [red]")
RunsScreen.action_do = boom
from tui.app import run_app
sys.exit(run_app())
"""


class Terminal:
    """A program in a pty."""

    def __init__(self, code: str, kind: str = "xterm-256color") -> None:
        self._end, end = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=end, stdout=end, stderr=end, cwd=ROOT,
            env=os.environ | {"TERM": kind},
        )  # fmt: skip
        os.close(end)
        self.output = b""

    def type(self, keys: bytes) -> None:
        os.write(self._end, keys)

    def read_until(self, text: bytes) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while text not in self.output:
            assert time.monotonic() < end, self.output[-500:]
            self.output += os.read(self._end, 65536)

    def taken(self) -> bytes:
        """Return what was read, and forget it."""
        read, self.output = self.output, b""
        return read

    def rest(self) -> bytes:
        """Return what is still written, until nothing has been for a while."""
        read = b""
        while select.select([self._end], [], [], 0.5)[0]:
            read += os.read(self._end, 65536)
        return read

    def wait_for(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < end, "the condition never came true"
            time.sleep(0.02)

    def catches(self, number: int) -> bool:
        """Whether the program has a handler for a signal."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (mask,) = re.findall(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
        return bool(int(mask, 16) >> (number - 1) & 1)

    def settings(self) -> list[object]:
        """The settings of the terminal line: echo, canonical mode, …"""
        return termios.tcgetattr(self._end)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)


@pytest.fixture
def terminal() -> Iterator[Callable[[str], Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(code: str, **kind: str) -> Terminal:
        opened.append(Terminal(code, **kind))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_after_a_crash_the_screen_is_given_back_and_a_report_is_named(terminal) -> None:
    program = terminal(_CRASHING)
    program.read_until(b"There are no runs yet")
    program.type(b"n")
    program.read_until(b"the report is at ")
    assert program.process.wait(PATIENCE_SECONDS) == 1
    shown = program.output.partition(b"\x1b[?1049l")[2]
    assert b"Traceback" not in program.output
    assert b"the report is at" in shown, "it is said after the alternate screen was left"
    (report,) = logs_folder().glob("crash-*.txt")
    assert "boom [red]" in report.read_text()
    program.read_until(str(report).encode())


RUNNING = "import sys; from tui.app import run_app; sys.exit(run_app())"
# A loaded machine may need more than the usual seconds to leave.
_LEAVING_SLOWLY = f"from tui.terminal import signals; signals._LEAVE_SECONDS = 600; {RUNNING}"
_HANGING = """
import signal, sys, time
from tui.screens.runs.screen import RunsScreen
from tui.terminal import signals
def hang(self, name):
    {before}
    sys.__stdout__.write("hanging")
    sys.__stdout__.flush()
    while True: time.sleep({seconds})
RunsScreen.action_do = hang
from tui.app import run_app
sys.exit(run_app())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_screens_and_the_terminal_is_as_it_was(terminal, number: int) -> None:
    program = terminal(_LEAVING_SLOWLY)
    before = program.settings()
    program.read_until(b"There are no runs yet")
    assert program.settings() != before
    program.process.send_signal(number)
    program.read_until(b"\x1b[?1049l")
    assert program.process.wait(PATIENCE_SECONDS) == 128 + number
    assert program.settings() == before


def test_a_signal_ends_screens_in_a_call_that_does_not_return(terminal) -> None:
    # Another thread receives the signal, so that nothing ends the call of the main thread.
    blocked = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})"
    before = f"signals._LEAVE_SECONDS = 1; {blocked}"
    program = terminal(_HANGING.format(before=before, seconds=3600))
    program.read_until(b"There are no runs yet")
    program.type(b"n")
    program.read_until(b"hanging")
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(PATIENCE_SECONDS) == -signal.SIGALRM


def test_a_second_signal_ends_screens_that_hang_at_once(terminal) -> None:
    # The first signal must not end them before the second one is sent.
    program = terminal(_HANGING.format(before="signals._LEAVE_SECONDS = 600", seconds=0.1))
    program.read_until(b"There are no runs yet")
    program.type(b"n")
    program.read_until(b"hanging")
    program.process.send_signal(signal.SIGTERM)
    program.wait_for(lambda: not program.catches(signal.SIGTERM))
    program.process.send_signal(signal.SIGTERM)
    assert program.process.wait(PATIENCE_SECONDS) == -signal.SIGTERM


def test_what_is_not_sent_again_is_shown_all_the_same(terminal) -> None:
    program = terminal(RUNNING)
    program.read_until(b"There are no runs yet")
    shown = pyte.Screen(80, 24)
    stream = pyte.ByteStream(shown)
    for key, text in ((b"?", b"esc closes"), (b"\x1b", b"no runs yet"), (b"n", b"dltui run"),
                      (b"\x1b", b"no runs yet"), (b"?", b"esc closes")):  # fmt: skip
        stream.feed(program.taken())
        program.type(key)
        program.read_until(text)
    stream.feed(program.taken() + program.rest())
    before = copy.deepcopy(shown.buffer)
    program.process.send_signal(signal.SIGWINCH)  # after which everything is sent again
    program.read_until(b"esc closes")
    stream.feed(program.taken() + program.rest())
    assert shown.buffer == before


def test_quitting_ends_with_status_zero(terminal) -> None:
    program = terminal(RUNNING)
    program.read_until(b"There are no runs yet")
    program.type(b"q")
    program.read_until(b"\x1b[?1049l")
    assert program.process.wait(PATIENCE_SECONDS) == 0


_PICTURE = """
import base64, sys
from engine.reports.picture import Picture
from tui.screens.registry import make_screen
from tui.screens.runs.screen import RunsScreen
picture = Picture(8, 8, base64.b64encode(bytes(192)).decode(), name="a.png")
RunsScreen.action_do = lambda self, name: self.app.push_screen(make_screen("picture", [picture]))
from tui.app import run_app
sys.exit(run_app())
"""


def test_kitty_is_asked_before_the_start_and_freed_of_pictures_at_the_end(
    terminal, monkeypatch
) -> None:
    for name in ("TMUX", "STY", "ZELLIJ", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    program = terminal(_PICTURE, kind="xterm-kitty")
    program.read_until(b"\x1b[>q\x1b[c")
    program.type(b"n\x1bP>|kitty(0.41.1)\x1b\\\x1b[?62;c")
    program.read_until("\U0010eeee".encode())
    assert program.output.index(b"\x1b[>q") < program.output.index(b"\x1b[?1049h")
    program.read_until(b"a.png")
    program.type(b"\x11")
    program.read_until(b"\x1b_Ga=d,d=I,i=")
    assert program.process.wait(PATIENCE_SECONDS) == 0
    numbers = [
        re.findall(rb"\x1b_Ga=%s.*?,i=(\d+)" % what, program.output) for what in (b"T", b"d")
    ]
    assert len(numbers[0]) == 1
    assert numbers[0] == numbers[1]
