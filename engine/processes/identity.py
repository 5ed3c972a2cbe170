"""The identity of a run's process, and whether it is still running.

A process is identified by its number, its start time and the boot of the machine: numbers alone are
reused.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process on one machine, distinct from any later one."""

    pid: int
    started: float
    boot: str
    host: str

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity:
        """The identity of a living process; raises ``psutil.NoSuchProcess``."""
        return cls(pid, psutil.Process(pid).create_time(), boot_id(), socket.gethostname())

    @classmethod
    def own(cls) -> ProcessIdentity:
        """The identity of this process."""
        return cls.of(os.getpid())

    @classmethod
    def from_record(cls, record: Any) -> ProcessIdentity | None:
        """Read back what :meth:`record` wrote; ``None`` if it is damaged."""
        try:
            return cls(int(record["pid"]), float(record["started"]), record["boot"], record["host"])
        except (KeyError, TypeError, ValueError):
            return None

    def record(self) -> dict[str, Any]:
        """Return the identity as JSON values."""
        return asdict(self)

    @property
    def here(self) -> bool:
        """Whether it ran on this machine, so that :meth:`alive` is meaningful."""
        return self.host == socket.gethostname()

    def alive(self) -> bool:
        """Return whether the process is running; a zombie is not."""
        if self.boot != boot_id():
            return False
        try:
            process = psutil.Process(self.pid)
            return (
                abs(process.create_time() - self.started) < 1.0
                and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True


@cache
def boot_id() -> str:
    """Return a text that changes with each boot of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(int(psutil.boot_time()))
