"""The thread of a host: it connects, again with a growing wait, and exchanges messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from typing import Protocol

from engine.remote.messages import (
    Answer,
    Hello,
    Machine,
    Ping,
    ProtocolError,
    Queued,
    Request,
    read_answer,
)
from tui.hosts.address import Address
from tui.hosts.link import Link, Standing
from tui.hosts.reasons import why_closed, why_other_protocol
from tui.hosts.ssh import Channel, Closed

_READ_SECONDS = 0.2
_PING_SECONDS = 10.0
SILENT_SECONDS = 20.0
"""A host sends something every 5 seconds."""
_HELLO_SECONDS = 30.0
_SHORTEST_WAIT, _LONGEST_WAIT = 1.0, 60.0
_STABLE_SECONDS = 30.0
"""After a connection that lasted so long, the wait begins anew."""
_NOISE = 200
"""Lines that a login may print before the first message."""

Say = Callable[[str, bool], None]
"""Shows a sentence to the user, and whether it is an error."""
Describe = Callable[[Exception], str]
"""Keeps a report on an internal error; returns a sentence about it."""


class Ended(Exception):
    """The program ends."""


class Parts(Protocol):
    """The receivers of a connection's messages; all is called in its thread."""

    def begin(self) -> None:
        """The connection begins."""

    def take(self, message: Answer) -> None:
        """Take a message of the host."""

    def due(self) -> list[Request]:
        """Return the requests that are to be sent now."""

    def lost(self) -> None:
        """The connection has ended."""


class Connection:
    """Connects by ``command`` until :meth:`end`."""

    def __init__(
        self,
        address: Address,
        link: Link,
        command: Callable[[], list[str]],
        say: Say,
        parts: Parts,
        describe: Describe = repr,
    ) -> None:
        self._address = address
        self._link = link
        self._command = command
        self._say = say
        self._parts = parts
        self._describe = describe
        self._described: dict[str, str] = {}
        """Sentences on internal errors: one that recurs is reported once."""
        self._shown_gone = ""
        """The reason that was shown to the user last; empty after a connection."""
        self._thread = threading.Thread(target=self._run, name=f"host-{address.name}", daemon=True)
        self.pid = 0
        """The process of ssh, 0 while there is none."""

    def start(self) -> None:
        """Connect in the thread."""
        self._thread.start()

    def end(self) -> None:
        """Close the connection, soon."""
        self._link.end()

    def join(self, seconds: float) -> None:
        """Wait until the connection is closed."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        wait = _SHORTEST_WAIT
        with suppress(Ended):
            while not self._link.ended:
                begin = time.monotonic()
                problem = self._try_once()
                if time.monotonic() - begin > _STABLE_SECONDS:
                    wait = _SHORTEST_WAIT
                self._link.wanted.clear()
                self._lost(problem, wait)
                self._link.wanted.wait(wait)
                self._link.stand(replace(self._link.standing, phase="connecting"))
                wait = min(2 * wait, _LONGEST_WAIT)

    def _try_once(self) -> str:
        """Use one connection; an internal error ends it, but not the thread."""
        try:
            return self._connect()
        except Ended:
            raise
        except Exception as error:  # noqa: BLE001 — shown at the host's line and retried
            known = f"{type(error).__name__}: {error}"
            if known not in self._described:
                self._described[known] = self._describe(error)
            return self._described[known]

    def _connect(self) -> str:
        """Use one connection until its end; returns the reason for it."""
        try:
            channel = Channel(self._command())
        except OSError as error:
            return f"ssh cannot be started: {error.strerror}."
        self.pid = channel.pid
        try:
            return self._greet(channel) or self._exchange(channel)
        except Closed as error:
            return why_closed(self._address, error)
        except ProtocolError as error:
            return f"it has sent something else than a message: {error}."
        except OSError as error:
            return f"its runs cannot be mirrored here: {error.strerror}."
        finally:
            self.pid = 0
            self._parts.lost()
            channel.close()

    def _greet(self, channel: Channel) -> str:
        """Wait for the first message; returns why the host cannot be used."""
        end, noise = time.monotonic() + _HELLO_SECONDS, 0
        while time.monotonic() < end and noise < _NOISE:
            # What comes with the greeting waits in the channel: one line is taken at a time.
            for line in self._lines(channel, most=1):
                try:
                    hello = read_answer(line)
                except ProtocolError:
                    noise += 1  # printed by the login
                    continue
                if not isinstance(hello, Hello):
                    return "it has sent another message before its greeting."
                if why := why_other_protocol(hello):
                    return why
                self._welcome(hello)
                return ""
        return "it does not answer." if noise < _NOISE else "its login prints too much."

    def _welcome(self, hello: Hello) -> None:
        own = version("dltui")
        other = f"has dltui {hello.version}, this is {own}" if hello.version != own else ""
        again, self._shown_gone = bool(self._shown_gone), ""
        self._parts.begin()
        self._link.stand(Standing("connected", note=other))
        if other:
            self._say(f"{self._address.name} {other}.", False)
        if again:
            self._say(f"{self._address.name} is reachable again.", False)

    def _exchange(self, channel: Channel) -> str:
        """Send and receive messages; returns why that cannot continue."""
        heard = sent = time.monotonic()
        while True:
            for line in self._lines(channel):
                message = read_answer(line)
                heard = time.monotonic()
                if isinstance(message, Machine):
                    self._link.stand(replace(self._link.standing, machine=message))
                elif isinstance(message, Queued):
                    self._link.stand(replace(self._link.standing, queue=message))
                else:
                    self._parts.take(message)
            now = time.monotonic()
            if now - heard > SILENT_SECONDS:
                return f"it has not answered for {SILENT_SECONDS:.0f} seconds."
            due = self._parts.due()
            if not due and now - sent > _PING_SECONDS:
                due = [Ping()]
            for request in due:
                channel.send(request)
                sent = now

    def _lines(self, channel: Channel, most: int = 1 << 30) -> Iterator[bytes]:
        if self._link.ended:
            raise Ended
        return channel.receive(_READ_SECONDS, most)

    def _lost(self, problem: str, wait: float) -> None:
        """The connection has ended: say so once for each reason."""
        retry = time.monotonic() + wait
        standing = replace(self._link.standing, phase="gone", problem=problem, retry=retry)
        self._link.stand(standing)
        if problem != self._shown_gone and not self._link.ended:
            self._shown_gone = problem
            self._say(self._link.sentence(), True)
