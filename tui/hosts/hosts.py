"""All hosts of the program, and the runs on them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import RunError
from engine.runs.directory import RunDirectory
from engine.runs.origin import host_of
from engine.runs.summary import RunSummary
from tui.hosts.address import Address

if TYPE_CHECKING:
    from tui.hosts.host import Host

_END_SECONDS = 2.0

Notice = Callable[[str, bool], None]
"""Shows a sentence to the user, and whether it is an error; called in the thread of a host."""


class Hosts:
    """The hosts by their names; without any it does nothing."""

    def __init__(
        self,
        addresses: Sequence[Address] = (),
        notice: Notice = lambda text, error: None,
        describe: Callable[[Exception], str] = repr,
    ) -> None:
        """``describe`` keeps a report on an internal error and returns a sentence about it."""
        self._addresses = addresses
        self._notice = notice
        self._describe = describe
        self._sockets: Path | None = None
        self._hosts: dict[str, Host] = {}

    def __iter__(self) -> Iterator[Host]:
        return iter(tuple(self._hosts.values()))

    def __bool__(self) -> bool:
        return bool(self._addresses)

    def start(self) -> None:
        """Connect to all hosts."""
        if not self._addresses:
            return
        # A program without hosts need not load these.
        from tui.hosts import host, sockets

        folder = self._sockets = sockets.make_folder()
        hosts = [
            host.Host(address, folder, self._notice, describe=self._describe)
            for address in self._addresses
        ]
        self._hosts = {one.name: one for one in hosts}
        for one in self:
            one.connection.start()

    def end(self) -> None:
        """Close all connections; nothing is left of them on either side."""
        for host in self:
            host.connection.end()
        for host in self:
            host.connection.join(_END_SECONDS)
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)

    def rows(self) -> Iterator[RunSummary]:
        """Yield the runs of all hosts as far as they are known."""
        for host in self:
            yield from host.mirror.rows

    def gone(self) -> frozenset[str]:
        """Return the names of the hosts that are not reachable now."""
        return frozenset(host.name for host in self if host.link.gone())

    def of(self, run: RunDirectory) -> Host | None:
        """Return the host of a run; ``None`` for a run of this machine.

        Raises :class:`RunError` for a host that this program was not started with.
        """
        name = host_of(run)
        if name and name not in self._hosts:
            raise RunError(f"The run {run.id} is on {name}.", f"Start `dltui --hosts {name}`.")
        return self._hosts.get(name)

    def unfollow(self) -> None:
        """Follow no run: no screen shows any."""
        for host in self:
            host.runs.unfollow()
