"""Sizes of a TabM network and of its training that go by the table, where none are set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.config.models.tabm import TabmConfig
from engine.config.run_config import RunConfig
from engine.config.usual import epochs_for
from engine.data.tables.schema import Features

_BATCHES = ((2_800, 32), (4_500, 64), (6_400, 128), (32_000, 256), (108_000, 512))
"""Numbers of rows up to which a batch size is used: those of the paper of TabM."""
_LARGEST_BATCH = 1024
_UPDATES = 1400
"""Updates that a training has about, within the bounds of its epochs."""
_EPOCHS = (12, 24)
_FEW_ROWS, _MANY_ROWS = 2_000, 100_000
_EMBEDDED, _SMALLEST, _LARGEST = 256, 4, 16
"""Size of the embeddings of all numbers together, and bounds of that of one."""


def automatic_sizes(config: RunConfig, rows: int, features: Features) -> Iterator[str]:
    """Yield ``field=value`` for the fields that are left empty, for ``rows`` training rows."""
    if not isinstance(config.model, TabmConfig):
        return
    found = {
        "train.epochs": epochs_for(
            _UPDATES, rows, config.train.batch_size or _batch_size(rows), *_EPOCHS
        ),
        "train.batch_size": _batch_size(rows),
        "model.width": 256 if rows > _MANY_ROWS else 128,
        "model.layers": 2,
        "model.dropout": 0.3 if rows < _FEW_ROWS else 0.1,
        "model.embedding_size": _embedding_size(len(features.numeric)),
    }
    given = _given(config)
    yield from (f"{name}={value}" for name, value in found.items() if name not in given)


def _given(config: RunConfig) -> Mapping[str, object]:
    """Return the fields of model and training that have a value, by dotted name."""
    values = config.values()
    return {
        f"{section}.{key}": value for section in ("model", "train")
        for key, value in values[section].items()
    }  # fmt: skip


def _batch_size(rows: int) -> int:
    return next((size for most, size in _BATCHES if rows < most), _LARGEST_BATCH)


def _embedding_size(numbers: int) -> int:
    return max(_SMALLEST, min(_LARGEST, _EMBEDDED // max(1, numbers)))
