"""Runs of transformers' ``Trainer``: ``trainer_state.json``, with ``config.json`` beside it.

``training_args.bin`` is a pickle, which is never opened, so its settings are not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.files import safe_json
from engine.files.sanitize import plain
from engine.importers.foreign_run import ForeignRun

PROGRAM = "transformers"
FILE = "trainer_state.json"
LARGEST = 256 << 20
"""Bytes of a file that is read."""
_SETTINGS = (
    "num_train_epochs", "max_steps", "train_batch_size", "eval_steps", "logging_steps",
    "save_steps",
)  # fmt: skip
_MODEL = ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
_NO_METRICS = (
    "runtime", "samples_per_second", "steps_per_second", "total_flos", "flos",
    "preparation_time",
)  # fmt: skip
_SUMMARY = "train_runtime"
"""A value of the row that sums up the training at its end."""
_NO_ROWS = "Damaged rows of the log, left out: {}."
_AFTERWARDS = (
    "Values of evaluations after the training, which may be of another checkpoint, left out: {}."
)
_NOT_READ = "training_args.bin is a pickle and was not opened: the other settings are unknown."


def read_transformers(path: Path) -> ForeignRun:
    """Read one run. Raises ``OSError``, and ``ValueError`` for a file of another kind."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MB")
    state = safe_json.loads(path.read_bytes())
    if not isinstance(state, dict) or not isinstance(state.get("log_history"), list):
        raise ValueError("it has no log_history")
    run = ForeignRun(PROGRAM, path, _name(path))
    run.ended = path.stat().st_mtime
    trained: set[tuple[str, int]] = set()
    over = False
    for row in state["log_history"]:
        if isinstance(row, Mapping) and _is_step(row.get("step")):
            over = over or _SUMMARY in row
            _row(run, row, trained, over)
        else:
            run.tally.add(_NO_ROWS)
    run.configure({name: state[name] for name in _SETTINGS if state.get(name) is not None})
    run.decides = _decides(run, state.get("best_metric"))
    _read_model(run, path.with_name("config.json"))
    if path.with_name("training_args.bin").exists():
        run.tally.add(_NOT_READ)
    return run


def rows_of(path: Path) -> list[Any]:
    """Return the rows of a state's log; none where it cannot be read, which reading it says."""
    try:
        state = safe_json.loads(path.read_bytes()) if path.stat().st_size <= LARGEST else {}
    except (OSError, ValueError):
        return []
    rows = state.get("log_history") if isinstance(state, dict) else None
    return rows if isinstance(rows, list) else []


def _name(path: Path) -> str:
    """Return the folder's name; that of the run for a checkpoint's folder."""
    folder = path.absolute().parent
    return folder.parent.name if folder.name.startswith("checkpoint-") else folder.name


def _is_step(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1 << 53


def _row(
    run: ForeignRun, row: Mapping[str, Any], trained: set[tuple[str, int]], over: bool
) -> None:
    """Add a row; one behind the training, which is ``over``, replaces none of its values.

    It evaluates the best model (``load_best_model_at_end``), at the step of the last one.
    """
    if _SUMMARY in row:
        run.started = run.ended - float(row[_SUMMARY]) if _is_step(row[_SUMMARY]) else 0.0
        run.left_out.update(plain(name, 64) for name in row if name not in ("step", "epoch"))
        return
    for name, value in row.items():
        if name == "step" or not _is_step(value):
            continue
        if name.endswith(_NO_METRICS):
            run.left_out.add(plain(name, 64))
        elif over and (name, int(row["step"])) in trained:
            run.tally.add(_AFTERWARDS)
        else:
            if not over:
                trained.add((name, int(row["step"])))
            run.add(name, int(row["step"]), 0.0, float(value))


def _decides(run: ForeignRun, best: object) -> str:
    """Return the validation metric that has the best value that the trainer noted."""
    for (metric, split), series in run.series.items():
        if split == "validation" and best in series.values:
            return metric
    return ""


def _read_model(run: ForeignRun, path: Path) -> None:
    try:
        values = safe_json.loads(path.read_bytes()) if path.stat().st_size < 1 << 20 else {}
    except (OSError, ValueError):
        return
    if isinstance(values, dict):
        run.model = plain(values.get("_name_or_path") or values.get("model_type") or "", 120)
        run.configure({f"model.{name}": values[name] for name in _MODEL if name in values})
