"""One host: its runs are mirrored here by a thread, and changed by requests to it.

Methods that wait for the host are for threads that may wait, and raise
:class:`~engine.errors.RunError`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path

from engine.errors import RunError
from engine.remote.messages import (
    Annotate,
    Answer,
    ChangeQueue,
    Control,
    Current,
    Discard,
    Done,
    Events,
    File,
    FileList,
    Launch,
    Part,
    QueueAction,
    Request,
    Resume,
    Rows,
)
from engine.runs.annotations import Annotations
from engine.runs.directory import RunDirectory
from tui.hosts.address import Address
from tui.hosts.calls import Calls
from tui.hosts.connection import Connection, Describe, Say
from tui.hosts.fetch import fetch
from tui.hosts.followed_runs import FollowedRuns
from tui.hosts.link import Link
from tui.hosts.mirror import Mirror
from tui.hosts.pending_requests import PendingRequests
from tui.hosts.ssh import command

_SAVE_SECONDS = 30.0
MakeCommand = Callable[[Address, Path], list[str]]


class Host:
    """A host with its parts; ``notice`` and ``describe`` are called in its thread."""

    def __init__(
        self,
        address: Address,
        sockets: Path,
        notice: Say,
        make_command: MakeCommand = command,
        describe: Describe = repr,
    ) -> None:
        self.name = address.name
        self.mirror = Mirror(address.name)
        self.link = Link(address.name)
        self.runs = FollowedRuns(self.link, self.mirror)
        self.fetching: tuple[int, int] | None = None
        """Bytes of a run that have come, and all that are to come; ``None`` if none is fetched."""
        self._address = address
        self._command: Callable[[], list[str]] = partial(make_command, address, sockets)
        numbers = count(1)
        self._calls = Calls(self.link, numbers)
        requests = PendingRequests(self.mirror, numbers, notice)
        parts = _Parts(self.link, self.mirror, self.runs, self._calls, requests, notice)
        self.connection = Connection(address, self.link, self._command, notice, parts, describe)

    def stop(self, run: str) -> None:
        """Ask a run to stop and keep its model."""
        self._calls.call(lambda number: Control(number=number, run=run, action="stop"))

    def resume(self, run: str) -> None:
        """Resume a run from its last checkpoint."""
        self._calls.call(lambda number: Resume(number=number, run=run))

    def discard(self, run: str) -> None:
        """Move a run into the host's trash."""
        self._calls.call(lambda number: Discard(number=number, run=run))

    def annotate(self, run: str, notes: Annotations) -> None:
        """Replace the annotations of a run."""
        self._calls.call(
            lambda number: Annotate(
                number=number, run=run, tags=notes.tags, note=notes.note, pinned=notes.pinned
            )
        )

    def launch(self, config: str, queue: bool) -> str:
        """Start a run of a configuration in TOML, or put it into the queue; returns its id."""
        answer = self._calls.call(lambda number: Launch(number=number, config=config, queue=queue))
        return answer.run or ""

    def change_queue(self, action: QueueAction, run: str | None = None) -> None:
        """Change the host's queue, or the place of a run in it."""
        self._calls.call(lambda number: ChangeQueue(number=number, action=action, run=run))

    def fetch(self, run: str) -> RunDirectory:
        """Copy a run to this machine."""

        def progress(come: int, total: int) -> None:
            if self.link.ended:
                raise RunError("The program ends.")
            self.fetching = (come, total)

        try:
            return fetch(self._address, self._command(), run, progress)
        finally:
            self.fetching = None


class _Parts:
    """Distributes messages of the host, and collects requests to it."""

    def __init__(
        self,
        link: Link,
        mirror: Mirror,
        runs: FollowedRuns,
        calls: Calls,
        requests: PendingRequests,
        say: Say,
    ) -> None:
        self._link = link
        self._mirror = mirror
        self._runs = runs
        self._calls = calls
        self._requests = requests
        self._say = say
        self._saved = time.monotonic()
        self._too_large: set[tuple[str, str]] = set()
        """Runs and files of which a message was shown."""

    def begin(self) -> None:
        """A connection begins."""
        self._mirror.begin()
        with self._link.changed:
            self._link.outbox.clear()
        self._runs.begin()

    def lost(self) -> None:
        """The connection has ended."""
        self._requests.lost()
        with suppress(OSError):
            self._mirror.save()

    def take(self, message: Answer) -> None:
        """Take a message of the host. Raises ``OSError`` where the mirror cannot be written."""
        if isinstance(message, Rows):
            self._mirror.take_rows(message)
        elif isinstance(message, File | Events):
            if self._mirror.is_open(message.run):
                self._take_of_run(message)
        elif isinstance(message, Current):
            self._runs.current(message.run)
        elif isinstance(message, Done | FileList | Part):
            self._requests.answered(message)
            self._calls.answered(message)

    def due(self) -> list[Request]:
        """Return the requests that are to be sent now."""
        if time.monotonic() - self._saved > _SAVE_SECONDS:
            self._saved = time.monotonic()
            self._mirror.save()
        due: list[Request] = [*self._runs.due()]
        while self._link.outbox:
            due.append(self._link.outbox.popleft())
        return [*due, *self._requests.of(self._runs.opened)]

    def _take_of_run(self, message: File | Events) -> None:
        if isinstance(message, File):
            if not self._mirror.take_file(message):
                what = f"{message.name} of {message.run}"
                self._say(f"{self._link.name} has sent a {what} that cannot be read.", True)
            elif message.too_large and (message.run, message.name) not in self._too_large:
                self._too_large.add((message.run, message.name))
                self._say(
                    f"{message.name} of {message.run} on {self._link.name} "
                    f"({message.too_large / 1e6:,.0f} MB) is too large to be shown from there. "
                    "Fetch the run on the list of runs to have it here.",
                    False,
                )
            return
        before = self._mirror.dropped
        if not self._mirror.take_events(message):
            self._runs.again(message.run)
        if before == 0 < self._mirror.dropped:
            self._say(f"{self._link.name} has sent events that cannot be read: left out.", True)
