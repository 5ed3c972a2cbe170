"""A tiny experiment for each task, on built-in data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from engine.data.builtin.docstrings import docstrings

_TEXT = {"kind": "transformer", "hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 1000}

TASKS: dict[str, dict[str, Any]] = {
    "image_classification": {
        "task": {"augmentation": {"crop": 1}},
        "data": {"name": "digits"},
        "model": {"kind": "cnn", "channels": [16, 32]},
    },
    "semantic_segmentation": {
        "task": {"augmentation": {"flip": "horizontal", "zoom": 0.2}},
        "data": {"name": "shapes"},
        "model": {"kind": "unet", "channels": [8, 16]},
    },
    "object_detection": {
        "task": {"augmentation": {"flip": "horizontal", "zoom": 0.2}},
        "data": {"name": "shapes"},
        "model": {"kind": "centernet", "channels": [8, 16, 16]},
    },
    "text_classification": {
        "task": {"max_length": 64, "text": "text", "label": "package"},
        "data": {"name": "docstrings"},
        "model": _TEXT,
    },
    "token_classification": {"data": {"name": "entities"}, "model": _TEXT},
    "question_answering": {
        "task": {"max_length": 128, "doc_stride": 32},
        "data": {"name": "questions"},
        "model": _TEXT,
    },
    "causal_lm": {
        "task": {"max_length": 64, "max_new_tokens": 8, "text": "text"},
        "data": {"name": "docstrings"},
        "model": _TEXT,
    },
    "seq2seq": {
        "task": {
            "max_source_length": 32,
            "max_target_length": 32,
            "max_new_tokens": 8,
            "eval_rows": 8,
            "final_rows": 8,
        },
        "data": {"name": "dates"},
        "model": _TEXT | {"vocab_size": 400},
    },
    "tabular_classification": {
        "data": {"name": "iris"},
        "model": {"kind": "mlp", "hidden": [32, 32], "dropout": 0.2},
        "train": {"batch_size": 8},
    },
    "tabular_regression": {
        "data": {"name": "diabetes"},
        "model": {"kind": "mlp", "hidden": [32, 32], "dropout": 0.2},
    },
    "forecasting": {
        "task": {"window": 48, "horizon": 24},
        "data": {"name": "seasons"},
        "model": {"kind": "lstm"},
        "train": {"batch_size": 32},
    },
}
"""Differences from the defaults, by the kind of task."""


ROWS = {"cuda": 200, "cpu": 100}
"""Numbers of rows; fewer on a CPU, where they take longer."""


def experiment(
    task: str, folder: Path, device: str, updates: int, **adapter: Any
) -> dict[str, Any]:
    """The values of a run of ``updates`` updates in bfloat16, evaluated half-way and at the end.

    ``folder`` caches data that takes seconds to collect.
    """
    chosen = TASKS[task]
    return {
        "name": task.replace("_", "-"),
        "task": {"kind": task} | chosen.get("task", {}),
        "data": _data(task, chosen["data"]["name"], folder, ROWS[device]),
        "model": chosen["model"],
        "adapter": adapter,
        "train": {"batch_size": 16, "learning_rate": 2e-3, "max_steps": updates,
                  "eval_steps": updates // 2} | chosen.get("train", {}),
        "compute": {"device": device, "precision": "bfloat16", "threads": int(device == "cpu")},
    }  # fmt: skip


def _data(task: str, name: str, folder: Path, rows: int) -> dict[str, Any]:
    if name == "docstrings":
        return {"kind": "file", "path": str(_some_docstrings(folder, rows))}
    fewer = {} if task == "forecasting" else {"max_samples": rows}
    return {"kind": "builtin", "name": name} | fewer


def _some_docstrings(folder: Path, rows: int) -> Path:
    """A file with ``rows`` rows, sampled evenly from the table."""
    path = folder / "docstrings.parquet"
    if not path.exists():
        table = docstrings().train
        pq.write_table(table.take(list(range(0, len(table), len(table) // rows))), path)
    return path
