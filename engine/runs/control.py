"""Requests to the process that trains: one file each, carried out once, in order.

A request is written under another name and renamed, so that it is never read in part. The trainer
takes it by removing it, so that it is never carried out twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.files import atomic, safe_json

STOP = "stop"
"""Stop now and keep the model."""
CHECKPOINT = "checkpoint"
"""Write a checkpoint now."""
EVALUATE = "evaluate"
"""Evaluate now."""
PAUSE = "pause"
"""Pause: no update until :data:`CONTINUE`."""
CONTINUE = "continue"
"""Continue after :data:`PAUSE`."""
LEARNING_RATE = "learning_rate"
"""Use ``value`` as the highest learning rate from here on; the schedule keeps its shape."""
EPOCHS = "epochs"
"""Train for ``value`` epochs in all."""

_counter = iter(range(1 << 62))


@dataclass(frozen=True, slots=True)
class Request:
    """A request to the trainer."""

    action: str
    arguments: dict[str, Any] = field(default_factory=dict)


class Requests:
    """The requests of one run: a folder with a file for each that is pending."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, request: Request) -> None:
        """Write a request. Raises ``OSError``."""
        name = f"{time.time_ns():020d}-{os.getpid()}-{next(_counter)}.json"
        record = {"action": request.action, "arguments": request.arguments}
        atomic.write_json(self.path / name, record)

    def waits(self, action: str) -> bool:
        """Return whether a request for ``action`` is pending."""
        for path in self.path.glob("*.json"):
            try:
                content = safe_json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(content, dict) and content.get("action") == action:
                return True
        return False

    def take(self) -> Iterator[Request]:
        """Yield the requests in their order, each removed before it is yielded."""
        try:
            names = sorted(path.name for path in self.path.glob("*.json"))
        except OSError:
            return
        for name in names:
            path = self.path / name
            try:
                content = safe_json.loads(path.read_bytes())
                path.unlink()
            except FileNotFoundError:
                continue
            except ValueError:
                path.unlink(missing_ok=True)
                continue
            if isinstance(content, dict) and isinstance(content.get("action"), str):
                arguments = content.get("arguments")
                yield Request(content["action"], arguments if isinstance(arguments, dict) else {})
