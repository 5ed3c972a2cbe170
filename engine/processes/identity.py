"""The identity of a run's process, and whether it is still running.

A process is identified by its number, its start time and the boot of the machine: numbers alone are
reused. The start time is known since 1970, which changes when the clock of the machine is set, and
since the boot, which does not.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

_TOLERANCE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process on one machine, distinct from any later one."""

    pid: int
    started: float
    boot: str
    host: str
    since_boot: float | None = None
    """Seconds from the boot to the start; ``None`` in records of earlier versions."""
    namespace: str = ""
    """The namespace of the number: containers may have the name of their machine, but have their
    own. Empty where the system has none, and in records of earlier versions."""

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity:
        """The identity of a living process; raises ``psutil.NoSuchProcess``."""
        started, since_boot = _start_of(pid)
        return cls(pid, started, boot_id(), socket.gethostname(), since_boot, _namespace())

    @classmethod
    def own(cls) -> ProcessIdentity:
        """The identity of this process."""
        return cls.of(os.getpid())

    @classmethod
    def from_record(cls, record: Any) -> ProcessIdentity | None:
        """Read back what :meth:`record` wrote; ``None`` if it is damaged."""
        try:
            pid, started = int(record["pid"]), float(record["started"])
            since_boot = record.get("since_boot")
            since_boot = None if since_boot is None else float(since_boot)
            namespace = str(record.get("namespace", ""))
            return cls(pid, started, record["boot"], record["host"], since_boot, namespace)
        except (KeyError, TypeError, ValueError):
            return None

    def record(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        return asdict(self)

    @property
    def here(self) -> bool:
        """Whether it ran on this machine, so that :meth:`alive` is meaningful."""
        return self.host == socket.gethostname() and self.namespace in ("", _namespace())

    def alive(self) -> bool:
        """Return whether the process is running; a zombie is not."""
        if self.boot != boot_id():
            return False
        try:
            if psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE:
                return False
            started, since_boot = _start_of(self.pid)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True
        if abs(started - self.started) < _TOLERANCE_SECONDS:
            return True
        return (
            self.since_boot is not None and abs(since_boot - self.since_boot) < _TOLERANCE_SECONDS
        )


def _start_of(pid: int) -> tuple[float, float]:
    """Return when a process started: seconds since 1970, and since the boot.

    Raises ``psutil.NoSuchProcess``.
    """
    boot = psutil.boot_time()  # first: earlier versions of psutil take their start times from it
    started = psutil.Process(pid).create_time()
    return started, started - boot


@cache
def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


@cache
def boot_id() -> str:
    """Return a text that changes with each boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))
