"""A cache of data: read again only when its section or its file has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

from engine.config.run_config import RunConfig
from engine.data.fitted import Fitted
from engine.data.raw import RawData
from engine.pipelines.numbered_rows import RowNumbers, load_numbered
from engine.pipelines.pipeline import DataPipeline

T = TypeVar("T")


class _Newest(Generic[T]):
    """The most recently made objects, by key."""

    _LIMIT = 2

    def __init__(self) -> None:
        self._made: dict[str, T] = {}

    def get(self, key: str, make: Callable[[], T]) -> T:
        made = self._made.pop(key) if key in self._made else make()
        self._made[key] = made
        while len(self._made) > self._LIMIT:
            del self._made[next(iter(self._made))]
        return made

    def kept(self) -> Iterable[T]:
        return self._made.values()


_raw: _Newest[tuple[RawData, RowNumbers]] = _Newest()
_fitted: _Newest[Fitted] = _Newest()


def loaded(pipeline: DataPipeline[Any]) -> tuple[RawData, Fitted]:
    """The data of a pipeline and what was fitted on it; raises ``DataError``."""
    raw = loaded_rows(pipeline)
    with_model = [*_key(pipeline.config), pipeline.config.model.model_dump(mode="json")]
    return raw, _fitted.get(json.dumps(with_model), lambda: pipeline.learn(raw))


def loaded_rows(pipeline: DataPipeline[Any]) -> RawData:
    """The data of a pipeline, whether it suits the task or not."""
    return _numbered(pipeline)[0]


def row_numbers(pipeline: DataPipeline[Any]) -> RowNumbers:
    """The numbers of these rows in their file; none where the task does not converse."""
    return _numbered(pipeline)[1]


def _numbered(pipeline: DataPipeline[Any]) -> tuple[RawData, RowNumbers]:
    return _raw.get(json.dumps(_key(pipeline.config)), lambda: load_numbered(pipeline))


def _key(config: RunConfig) -> list[Any]:
    sections = [config.data.model_dump(mode="json"), config.task.model_dump(mode="json")]
    return [*sections, _stamp(sections[0])]


def held_bytes() -> int:
    """Size of all tables that are kept."""
    return sum(table.nbytes for raw, _ in _raw.kept() for table in raw.splits.values())


def _stamp(section: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Return field, modification time in ns and size in bytes of each file in the section."""
    stamps = []
    for name, value in section.items():
        if isinstance(value, str) and value and name != "kind":
            try:
                found = Path(value).expanduser().stat()
            except (OSError, ValueError, RuntimeError):  # the name of something else
                continue
            stamps.append((name, found.st_mtime_ns, found.st_size))
    return stamps
