"""An index of the summaries of many runs, so that the next list need not read them again.

``.index.json`` lies in the folder of the runs. It is only a cache: a damaged one, or one of another
version, is ignored and rewritten.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.files import atomic, safe_json
from engine.runs.annotations import Annotations
from engine.runs.directory import RunDirectory
from engine.runs.status import State
from engine.runs.summary import RunSummary

_FILE = ".index.json"
_VERSION = 1
_TEXTS = ("name", "task", "data", "model", "metric", "problem")


@dataclass(frozen=True, slots=True)
class Entry:
    """A run's summary for this stamp of its files."""

    stamp: tuple[int, ...]
    summary: RunSummary

    @property
    def settled(self) -> bool:
        """Whether all that is shown follows from the stamped files."""
        return self.summary.state is not State.RUNNING


def load(folder: Path) -> dict[str, Entry]:
    """Load the entries by run id; none where the file is missing or damaged."""
    try:
        content = safe_json.loads((folder / _FILE).read_bytes())
        if content["version"] != _VERSION:
            return {}
        return {id: _entry(folder / id, record) for id, record in content["runs"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def save(folder: Path, entries: Mapping[str, Entry]) -> None:
    """Save the entries; a failure is no error, as the next list only takes longer."""
    runs = {id: _record(entry) for id, entry in entries.items() if entry.settled}
    content = {"version": _VERSION, "runs": runs}
    with contextlib.suppress(OSError):
        atomic.write_text(folder / _FILE, json.dumps(content, separators=(",", ":")))


def _record(entry: Entry) -> dict[str, Any]:
    summary = entry.summary
    return {
        "stamp": entry.stamp,
        "state": str(summary.state),
        "times": [summary.started, summary.seconds],
        "texts": [getattr(summary, name) for name in _TEXTS],
        "metrics": dict(summary.metrics),
        "notes": asdict(summary.notes),
        "scanned": summary.scanned,
    }


def _entry(path: Path, record: Mapping[str, Any]) -> Entry:
    started, seconds = map(float, record["times"])
    texts = dict(zip(_TEXTS, map(str, record["texts"]), strict=True))
    summary = RunSummary(
        run=RunDirectory(path),
        state=State(record["state"]),
        started=started,
        seconds=seconds,
        metrics={str(name): float(value) for name, value in record["metrics"].items()},
        notes=_notes(record["notes"]),
        scanned=int(record["scanned"]),
        name=texts["name"],
        task=texts["task"],
        data=texts["data"],
        model=texts["model"],
        metric=texts["metric"],
        problem=texts["problem"],
    )
    return Entry(tuple(map(int, record["stamp"])), summary)


def _notes(record: Mapping[str, Any]) -> Annotations:
    tags = tuple(map(str, record["tags"]))
    return Annotations(tags, str(record["note"]), bool(record["pinned"]))
