"""The adapters of finished runs for lists, read from small files without their weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import reason_of
from engine.files import safe_json
from engine.runs.directory import RunDirectory, all_runs
from engine.runs.listing import RunSummary, summarize

CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class AdapterSummary:
    """One adapter and the run that trained it."""

    run: RunSummary
    base: str = ""
    """Base model: a name on the hub or a folder."""
    method: str = ""
    r: int = 0
    targets: tuple[str, ...] = ()
    """Names of the target modules."""
    size: int = 0
    """Size of its weights on disk in bytes."""
    problem: str = ""
    """Reason why it cannot be used; empty when it can."""


def list_adapters(folder: Path) -> list[AdapterSummary]:
    """Return all adapters of a folder of runs: by base model, the newest of each first.

    Raises :class:`~engine.errors.RunError` for the folder only.
    """
    runs = [run for run in all_runs(folder) if (run.model / CONFIG).is_file()]
    # Sorted by the time they were written: names of runs have only the second of their start.
    newest = sorted(map(_summary, runs), key=lambda adapter: -_ended(adapter.run.run))
    return sorted(newest, key=lambda adapter: adapter.base)


def _ended(run: RunDirectory) -> float:
    """Return the time when the adapter was written."""
    try:
        return (run.model / CONFIG).stat().st_mtime
    except OSError:
        return 0.0


def _summary(run: RunDirectory) -> AdapterSummary:
    summary = summarize(run)
    try:
        record = safe_json.loads((run.model / CONFIG).read_bytes())
        size = (run.model / _WEIGHTS).stat().st_size
    except (OSError, ValueError) as error:
        return AdapterSummary(summary, problem=f"Its files cannot be read: {reason_of(error)}.")
    if not isinstance(record, dict):
        return AdapterSummary(summary, problem=f"{CONFIG} holds no adapter.")
    return _adapter(summary, record, size)


def _adapter(summary: RunSummary, record: dict[str, Any], size: int) -> AdapterSummary:
    targets = record.get("target_modules") or ()
    rank = record.get("r")
    return AdapterSummary(
        run=summary,
        base=str(record.get("base_model_name_or_path") or ""),
        method=_method(record),
        r=rank if isinstance(rank, int) else 0,
        targets=(targets,) if isinstance(targets, str) else tuple(sorted(map(str, targets))),
        size=size,
        problem=summary.problem,
    )


def _method(record: dict[str, Any]) -> str:
    for flag, name in (("use_dora", "dora"), ("use_rslora", "rslora")):
        if record.get(flag):
            return name
    return str(record.get("peft_type") or "").lower()
