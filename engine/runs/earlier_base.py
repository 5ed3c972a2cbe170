"""Results of the network before the first update that another run has: they need no second pass.

The trials of a sweep begin with the same network. The search names an earlier run whose base has
the same results (:func:`take_base_from`); the process that trains repeats what that one has
recorded (:func:`earlier_base`), or evaluates where it is gone meanwhile.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import RunError
from engine.files import atomic, safe_json
from engine.files.slugs import is_name
from engine.runs.directory import RunDirectory
from engine.runs.events import Evaluated, Event, SamplePictures, Samples
from engine.runs.follower import Follower

_NAME = "base-from.json"


@dataclass(frozen=True)
class EarlierBase:
    """Another run's results of the network before the first update."""

    run: str
    report: Mapping[str, Any]
    """The content of its ``base.json``."""
    events: tuple[Event, ...]
    """Its evaluations and samples before the first update, at the present time."""


def take_base_from(run: RunDirectory, earlier: RunDirectory) -> None:
    """Let ``run`` take the results of its base from ``earlier``, of the same folder.

    Raises :class:`RunError`.
    """
    try:
        atomic.write_json(run.path / _NAME, {"run": earlier.id})
    except OSError as error:
        raise RunError(f"Cannot write to the run {run.id}: {error.strerror}.") from error


def earlier_base(run: RunDirectory) -> EarlierBase | None:
    """Return what the run named by :func:`take_base_from` has; ``None`` where it has nothing."""
    try:
        name = safe_json.loads((run.path / _NAME).read_bytes())["run"]
        if not is_name(name):
            return None
        earlier = RunDirectory(run.path.parent / name)
        report = earlier.base.read()
        events = _events_of(earlier)
    except (OSError, RunError, ValueError, KeyError, TypeError):
        return None
    known = report is not None and isinstance(report.get("metrics"), dict)
    return EarlierBase(name, report, events) if known and report is not None else None


def _events_of(run: RunDirectory) -> tuple[Event, ...]:
    found: dict[tuple[type[Event], str], Event] = {}
    for event in Follower(run.events.path).new():
        if isinstance(event, SamplePictures):
            found.setdefault((SamplePictures, ""), event)
        elif isinstance(event, Evaluated | Samples):
            if event.step > 0:
                break
            found[type(event), event.split] = event
    now = time.time()
    return tuple(dataclasses.replace(event, time=now) for event in found.values())
