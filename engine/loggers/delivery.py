"""Delivery of notifications: to each address by itself, again where one was not accepted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["info", "success", "warning", "failure"]
"""Kinds of notifications that apprise has."""
_MOST_TRIES = 4
_RETRY_SECONDS = 20.0
"""Time to the second attempt, doubled with each further one."""


def accepted(service: Any, title: str, text: str, kind: Kind) -> bool:
    """Return whether a service of apprise has accepted a notification.

    Whatever it raises is left unsaid, as it may have the address in it.
    """
    try:
        return bool(service.notify(body=text, title=title, notify_type=kind))
    except Exception:  # noqa: BLE001 — another's program, which must not end the others' reports
        return False


@dataclass
class _Pending:
    place: int
    text: str
    kind: Kind
    tries: int
    due: float


class Delivery:
    """Sends to several services; one that fails keeps nothing from the others."""

    def __init__(self, services: Sequence[Any], title: str, warn: Callable[[str], None]) -> None:
        """``warn`` takes a sentence on each address when it fails first; no address is in it."""
        self._services = services
        self._title = title
        self._warn = warn
        self._failing: set[int] = set()
        self._warned: set[int] = set()
        self._pending: list[_Pending] = []

    def send(self, text: str, kind: Kind) -> None:
        """Send to each service, those that failed before last: they may take their time-out."""
        for place in sorted(range(len(self._services)), key=self._failing.__contains__):
            self._try(_Pending(place, text, kind, 0, 0.0))

    def retry(self, last: bool = False) -> None:
        """Send again what was not accepted and is due; all of it if there is no later time."""
        now = time.monotonic()
        due = [each for each in self._pending if last or each.due <= now]
        self._pending = [each for each in self._pending if each not in due]
        for each in due:
            self._try(each)

    def _try(self, one: _Pending) -> None:
        if accepted(self._services[one.place], self._title, one.text, one.kind):
            self._failing.discard(one.place)
            return
        self._failing.add(one.place)
        if one.place not in self._warned:
            self._warned.add(one.place)
            self._warn(f"notify.urls, number {one.place + 1}: the notification was not accepted.")
        one.tries += 1
        if one.tries < _MOST_TRIES:
            one.due = time.monotonic() + _RETRY_SECONDS * 2 ** (one.tries - 1)
            self._pending.append(one)
