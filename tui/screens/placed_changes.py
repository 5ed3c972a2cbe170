"""Changes to runs where they are: files of this machine, or requests to the host of the run.

All wait for files or for a host, so they are for threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.screen import Screen

from engine.errors import RunError
from engine.launch.start import start
from engine.runs import control
from engine.runs.annotations import Annotations, write_annotations
from engine.runs.control import Request
from engine.runs.directory import RunDirectory
from engine.runs.origin import host_of, require_own
from engine.runs.trash import discard
from tui.hosts.hosts import Hosts
from tui.widgets.notify import complain


def hosts_of(app: App[Any]) -> Hosts:
    """Return the hosts of the program."""
    return getattr(app, "hosts", None) or Hosts()


def is_own(screen: Screen[Any], run: RunDirectory) -> bool:
    """Return whether a run is on this machine; else say how it comes here."""
    try:
        require_own(run)
    except RunError as error:
        complain(screen, error)
        return False
    return True


def unreachable(app: App[Any], run: RunDirectory) -> str:
    """Return why the host of a run is not reachable; empty if it is, or if there is no host."""
    try:
        host = hosts_of(app).of(run)
    except RunError as error:
        return str(error)
    gone = host.link.gone() if host is not None else ""
    return f"{host_of(run)} is {gone}" if gone else ""


class PlacedChanges:
    """Changes one run each. Raise :class:`~engine.errors.RunError` and ``OSError``."""

    def __init__(self, hosts: Callable[[], Hosts]) -> None:
        self._hosts = hosts

    def stop(self, run: RunDirectory) -> None:
        """Ask the run to stop and keep its model."""
        if (host := self._hosts().of(run)) is None:
            run.requests.send(Request(control.STOP))
        else:
            host.stop(run.id)

    def resume(self, run: RunDirectory) -> None:
        """Resume the run from its last checkpoint."""
        if (host := self._hosts().of(run)) is None:
            start(run)
        else:
            host.resume(run.id)

    def is_here(self, run: RunDirectory) -> bool:
        """Return whether the run is on this machine."""
        return self._hosts().of(run) is None

    def discard(self, run: RunDirectory) -> RunDirectory | None:
        """Move the run into the trash of its machine; return it there if it is this one."""
        if (host := self._hosts().of(run)) is None:
            return discard(run)
        host.discard(run.id)
        return None

    def annotate(self, run: RunDirectory, notes: Annotations) -> None:
        """Replace the run's annotations."""
        if (host := self._hosts().of(run)) is None:
            write_annotations(run, notes)
        else:
            host.annotate(run.id, notes)
