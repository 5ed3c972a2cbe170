"""The runs of a host that screens show: it sends what is new of them."""

from __future__ import annotations

import time
from collections import OrderedDict

from engine.errors import RunError
from engine.remote.messages import MOST_FOLLOWED, Follow
from engine.runs.directory import RunDirectory
from tui.hosts.link import Link
from tui.hosts.mirror import Mirror

LOAD_SECONDS = 30.0


class FollowedRuns:
    """The runs that are followed, and those of which the mirror is complete."""

    def __init__(self, link: Link, mirror: Mirror) -> None:
        self._link = link
        self._mirror = mirror
        self._followed: OrderedDict[str, bool] = OrderedDict()
        self._current: set[str] = set()
        self._again: set[str] = set()
        self._due = False
        """Whether the host does not know yet which runs are followed."""
        self.opened: set[str] = set()
        """Runs that were open on a screen: requests to them may be on their way."""

    def follow(self, run: str, whole: bool) -> None:
        """Mirror what is new of a run; the oldest of too many is followed no longer.

        ``whole``: with all files, and not only those that a list shows of the run at its cursor. Of
        the latter runs only the newest is followed.
        """
        with self._link.changed:
            others = [r for r, all in self._followed.items() if r != run and not (all or whole)]
            before = self._followed.get(run)
            self._followed[run] = whole or before or False
            self._followed.move_to_end(run)
            others += list(self._followed)[: -MOST_FOLLOWED // 2]
            for other in dict.fromkeys(others):
                del self._followed[other]
                self._current.discard(other)
            if whole:
                self.opened = self.opened | {run}
            if self._followed[run] is not before:
                self._current.discard(run)
                self._due = True

    def unfollow(self) -> None:
        """Follow no run."""
        with self._link.changed:
            if self._followed:
                self._followed.clear()
                self._current.clear()
                self._due = True

    def load(self, run: str, whole: bool, seconds: float = LOAD_SECONDS) -> RunDirectory:
        """Follow a run and wait until the mirror has all of it; for threads that may wait.

        From a host that is gone, the mirror has what came before. Raises :class:`RunError` if that
        is nothing.
        """
        directory = self._mirror.directory(run)
        known = directory.path / "config.toml"
        self.follow(run, whole)
        self._link.wanted.set()
        end = time.monotonic() + seconds
        with self._link.changed:
            while run not in self._current and time.monotonic() < end:
                if self._link.standing.phase == "gone":
                    if known.is_file():
                        return directory
                    raise RunError(self._link.sentence())
                self._link.wait()
            if run not in self._current:
                name = self._link.name
                raise RunError(f"{name} has not sent the run within {seconds:.0f} seconds.")
        if not known.is_file():
            raise RunError(f"{self._link.name} has no run {run} any more.")
        return directory

    def begin(self) -> None:
        """A connection begins: the host knows of no followed run."""
        with self._link.changed:
            self._current.clear()
            self._due = True

    def current(self, run: str) -> None:
        """The host has sent all that there is of a run."""
        with self._link.changed:
            if run in self._followed:
                self._current.add(run)
                self._link.changed.notify_all()

    def again(self, run: str) -> None:
        """Let the host begin anew with a run, after what the mirror has of it."""
        with self._link.changed:
            self._again.add(run)
            self._due = True

    def due(self) -> list[Follow]:
        """Return the requests that tell the host what is followed, if that has changed.

        Raises ``OSError`` where the mirror cannot be written.
        """
        with self._link.changed:
            if not self._due:
                return []
            self._due = False
            followed = dict(self._followed)
            again, self._again = self._again, set()
        for run in followed:
            self._mirror.open(run)
        known = tuple(self._mirror.known(run, all) for run, all in followed.items())
        others = tuple(each for each in known if each.run not in again)
        return [*([Follow(runs=others)] if again else []), Follow(runs=known)]
