"""Notifications of a run by apprise: its end, a stall, a metric reached, a disk nearly full.

The process that trains sends them, so that no screen need be open.
"""

from __future__ import annotations

import logging
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.loggers.delivery import Delivery, Kind, accepted
from engine.loggers.notify_settings import NotifyError, NotifySettings, Occasion
from engine.runs.directory import RunDirectory
from engine.runs.events import (
    Evaluated,
    Event,
    Failed,
    Finished,
    Interrupted,
    Resources,
    Stalled,
    Started,
    Stopped,
)

_NEARLY_FULL = 0.03
_PLENTY = 50e9
"""A disk is nearly full when less than this share of it is free, and fewer bytes than these."""

_KINDS: Mapping[Occasion, Kind] = {
    "finished": "success",
    "failed": "failure",
    "stalled": "failure",
    "disk": "warning",
}


def connect(urls: Sequence[str]) -> list[Any]:
    """Return a service of apprise for each address.

    Raises :class:`NotifyError`, in which no address is named.
    """
    try:
        import apprise
    except ImportError as error:
        raise NotifyError(
            "Notifications need the package apprise.",
            "Install it with: pip install 'dltui[notify]'.",
        ) from error
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its messages have addresses in them
    services = []
    for place, url in enumerate(urls, 1):
        service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if service is None:
            raise NotifyError(f"notify.urls, number {place}: apprise does not know this address.")
        services.append(service)
    return services


def send(services: Sequence[Any], title: str, text: str, kind: Kind = "info") -> None:
    """Send a notification to each service; raises :class:`NotifyError` if one does not take it.

    ``kind`` decides on the symbol or colour of services that have such.
    """
    failed = [
        str(place)
        for place, service in enumerate(services, 1)
        if not accepted(service, title, text, kind)
    ]
    if failed:
        numbers = ", ".join(failed)
        raise NotifyError(f"notify.urls, number {numbers}: the notification was not accepted.")


class Notifier:
    """Sends a notification for each occasion of the settings; for a metric or the disk, one."""

    def __init__(
        self, run: RunDirectory, settings: NotifySettings, warn: Callable[[str], None]
    ) -> None:
        """Raises :class:`NotifyError` where apprise or an address is not usable.

        ``warn`` takes a sentence on an address that does not accept a notification.
        """
        self._run = run
        self._settings = settings
        self._waiting = list(settings.bounds)
        self._disk_notified = False
        self._stall_notified = False
        self._split = ""
        title = f"{run.id} on {platform.node()}"
        self._delivery = Delivery(connect(settings.urls), title, warn)

    def report(self, event: Event) -> None:
        """Notify of the event, if it is an occasion."""
        match event:
            case Started():
                self._stall_notified = False
            case Stalled(message=message):
                self._stall_notified = "stalled" in self._settings.on
                self._tell("stalled", f"Stalled: {message}")
            case Failed() if self._stall_notified:
                pass  # the stall was notified, with its reason
            case Failed(message=message):
                self._tell("failed", f"Failed: {message}")
            case Finished(metrics=metrics):
                self._tell("finished", _ended("Finished", self._split, metrics))
            case Stopped(metrics=metrics):
                self._tell("finished", _ended("Stopped", self._split, metrics), "info")
            case Interrupted():
                self._tell("finished", "Interrupted; it can be resumed.", "warning")
            case Evaluated(split=split):
                self._split = split
                if split == "validation":
                    self._check_bounds(event)
            case Resources():
                self._check_disk()

    def flush(self) -> None:
        """Send again what was not accepted."""
        self._delivery.retry()

    def close(self) -> None:
        """Send for the last time what was not accepted."""
        self._delivery.retry(last=True)

    def _check_bounds(self, event: Evaluated) -> None:
        for bound in [bound for bound in self._waiting if bound.reached(event.metrics)]:
            self._waiting.remove(bound)
            value = f"{bound.metric} {event.metrics[bound.metric]:.4g}"
            text = f"Reached validation {value} after epoch {round(event.epoch, 2):g}."
            self._delivery.send(text, "success")

    def _check_disk(self) -> None:
        usage = shutil.disk_usage(self._run.path)
        if usage.free < min(_NEARLY_FULL * usage.total, _PLENTY) and not self._disk_notified:
            self._disk_notified = True
            self._tell("disk", f"Its disk is nearly full: {usage.free / 1e6:,.0f} MB are free.")

    def _tell(self, occasion: Occasion, text: str, kind: Kind | None = None) -> None:
        if occasion in self._settings.on:
            self._delivery.send(text, kind or _KINDS[occasion])


def _ended(word: str, split: str, metrics: Mapping[str, float | None]) -> str:
    """Return a sentence with the first metrics, those of ``split``."""
    known = [f"{name} {value:.4g}" for name, value in metrics.items() if value is not None]
    shown = " ".join(filter(None, (split, ", ".join(known[:4]))))
    return f"{word}: {shown}." if known else f"{word}."
