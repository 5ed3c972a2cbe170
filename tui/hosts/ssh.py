"""The user's own ``ssh`` as a channel to ``dltui --stdio`` on a host.

The first channel to a host is the master connection of those that follow, with a socket in a
private folder that is removed at the end. Where the user's configuration has a master connection
open already, for instance after a login with two factors, that one is used.
"""

from __future__ import annotations

import hashlib
import os
import select
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from engine.remote.lines import LineBuffer
from engine.remote.messages import Message
from tui.hosts.address import Address

_OPTIONS = {
    "BatchMode": "yes",  # nothing may ask on the terminal, which belongs to the screens
    "ClearAllForwardings": "yes",
    "Compression": "yes",
    "ConnectTimeout": "10",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "ServerAliveCountMax": "3",
    "ServerAliveInterval": "5",
}
_CHECK_SECONDS = 5.0
_BLOCK = 1 << 18
_ERROR_BYTES = 4096
_END_SECONDS = 1.0


class Closed(Exception):
    """The channel is closed; the exit status of ssh and the end of what it printed."""

    def __init__(self, status: int, printed: str) -> None:
        super().__init__(printed)
        self.status = status
        self.printed = printed


def command(address: Address, sockets: Path) -> list[str]:
    """Return the command line of a channel to a host."""
    options = dict(_OPTIONS)
    if not _user_has_master(address):
        options |= {
            "ControlMaster": "auto",
            # One for each name: several may be of one machine, with programs of their own.
            "ControlPath": str(sockets / _short(address.name)),
            "ControlPersist": "no",
        }
    given = [f"-o{name}={value}" for name, value in options.items()]
    return ["ssh", "-T", *given, "--", address.name, address.program, "--stdio"]


def _short(name: str) -> str:
    """Return a name for a socket, whose path must be short."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _user_has_master(address: Address) -> bool:
    try:
        done = subprocess.run(
            ["ssh", "-O", "check", "--", address.name],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_CHECK_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


class Channel:
    """A process, messages to it and lines from it; no call waits for the other end."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Start the process. Raises ``OSError``."""
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 — closed with the channel
        try:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._printed,
                pipesize=_BLOCK,
                start_new_session=True,  # ctrl+c on the terminal is none of its business
            )
        except OSError:
            self._printed.close()
            raise
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        for stream in (self._in, self._out):
            os.set_blocking(stream, False)
        self._unsent = bytearray()
        self._lines = LineBuffer()
        self._ready: deque[bytes] = deque()

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def send(self, message: Message) -> None:
        """Send a message as soon as the other end takes it."""
        self._unsent += message.line()

    def receive(self, seconds: float, most: int = 1 << 30) -> Iterator[bytes]:
        """Yield at most ``most`` of the lines that come within ``seconds``; others are kept.

        Return as soon as there are some. Raises :class:`Closed` at the end,
        :class:`~engine.remote.messages.ProtocolError` for a line that is too long.
        """
        if not self._ready:
            self._exchange(seconds)
        for _ in range(min(most, len(self._ready))):
            yield self._ready.popleft()

    def _exchange(self, seconds: float) -> None:
        writable = [self._in] if self._unsent else []
        can_read, can_write, _ = select.select([self._out], writable, [], seconds)
        if can_write:
            try:
                del self._unsent[: os.write(self._in, self._unsent[:_BLOCK])]
            except BrokenPipeError:
                raise self._closed() from None
        if can_read:
            data = os.read(self._out, _BLOCK)
            if not data:
                raise self._closed()
            self._ready += self._lines.take(data)

    def close(self) -> None:
        """End the process: the other end sees the end of its input and exits."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)  # with the command of a proxy
            self._process.wait()
        self._printed.close()

    def _closed(self) -> Closed:
        try:
            status = self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            return Closed(0, "")
        end = self._printed.seek(0, os.SEEK_END)
        self._printed.seek(max(0, end - _ERROR_BYTES))
        return Closed(status, self._printed.read().decode(errors="replace"))
