"""Requests that screens write for a run of a host, on their way to it.

A screen puts a file into the run's ``control`` folder, as for a run of this machine. Here the file
is sent, and removed when the host has confirmed it; after a cut connection it is sent again. None
of the requests does more when it is carried out twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.files import safe_json
from engine.remote.messages import Control, Done, FileList, Part
from tui.hosts.mirror import Mirror

OLDEST_SECONDS = 300.0
"""A request that could not be sent for so long is dropped: the user may have changed their mind."""


class PendingRequests:
    """The requests to one host that it has not confirmed."""

    def __init__(
        self, mirror: Mirror, numbers: count[int], say: Callable[[str, bool], None]
    ) -> None:
        """Number requests with ``numbers``; ``say`` tells the user what was not carried out."""
        self._mirror = mirror
        self._numbers = numbers
        self._say = say
        self._sent: dict[int, Path] = {}

    def lost(self) -> None:
        """The connection has ended: what was not confirmed is sent again."""
        self._sent.clear()

    def of(self, runs: Iterable[str]) -> Iterator[Control]:
        """Yield the new requests for these runs."""
        under_way = set(self._sent.values())
        for run in runs:
            for path in self._mirror.pending_requests(run):
                if path in under_way:
                    continue
                if _age(path) > OLDEST_SECONDS:
                    path.unlink(missing_ok=True)
                    self._say(f"A request to {run} was too old to be sent; make it again.", True)
                elif (control := self._control(run, path)) is not None:
                    self._sent[control.number] = path
                    yield control

    def answered(self, message: Done | FileList | Part) -> None:
        """Forget a request that the host has carried out or refused."""
        path = self._sent.pop(message.number, None)
        if path is not None:
            path.unlink(missing_ok=True)
            if isinstance(message, Done) and message.problem:
                self._say(message.problem, True)

    def _control(self, run: str, path: Path) -> Control | None:
        content = _content(path)
        arguments: Any = content.get("arguments") or {}
        value = arguments.get("value") if isinstance(arguments, dict) else None
        try:
            return Control(
                number=next(self._numbers),
                run=run,
                action=content.get("action", ""),
                value=value,
            )
        except ValidationError:
            path.unlink(missing_ok=True)
            return None


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _content(path: Path) -> Mapping[str, Any]:
    """Return the content of a request's file; empty where it is damaged."""
    try:
        content = safe_json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
