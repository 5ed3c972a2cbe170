"""Files of a host's runs, refused where a screen could not read them.

Configurations, logs and annotations are read with care wherever they come from. Reports and
galleries are usually written by the program itself, so their types are checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from engine.files import safe_json
from engine.remote.messages import FileName
from engine.reports.views import Cell, View, read_view

_Numbers = dict[str, float | None]


class _Part(BaseModel):
    """A part of a file; what is not read by name may be anything."""

    model_config = ConfigDict(extra="allow")


class _Verdict(_Part):
    text: str = ""
    outcome: str = ""


class _Named(_Part):
    name: str
    metrics: _Numbers = {}
    verdict: _Verdict | None = None
    missing: str = ""
    advice: str = ""


class _Base(_Part):
    split: str
    metrics: _Numbers
    forgetting: _Numbers | None = None


class _Report(_Part):
    metric: str = ""
    metrics: dict[str, _Numbers] | None = None
    best_epoch: float | None = None
    epochs: int | None = None
    seconds: float | None = None
    verdict: _Verdict | None = None
    base: _Base | None = None
    baseline: _Named | None = None
    baselines: list[_Named] | None = None
    forgetting: _Numbers | None = None
    intervals: dict[str, dict[str, tuple[float | None, float | None]]] | None = None
    views: list[dict[str, Any]] | None = None


class _Score(_Part):
    value: float | None = None
    error: float | None = None


class _Benchmark(_Part):
    run: dict[str, _Score] | None = None
    base: dict[str, _Score] | None = None


class _Benchmarks(_Part):
    tasks: dict[str, _Benchmark] | None = None


class _Gallery(_Part):
    title: str
    columns: list[str]
    rows: list[list[Cell]]
    lengths: list[int] = Field(max_length=1 << 20)
    total: int


_MODELS: Mapping[FileName, type[BaseModel]] = {
    "report.json": _Report,
    "base.json": _Part,
    "evals.json": _Benchmarks,
}


_VIEWS: dict[type[View], TypeAdapter[View]] = {}


def is_readable(name: FileName, text: str) -> bool:
    """Return whether a screen can read a file of this name."""
    try:
        if name == "gallery.jsonl":
            return _is_gallery(text)
        if (model := _MODELS.get(name)) is None:
            return True
        record = safe_json.loads(text)
        model.model_validate(record)
        views = record.get("views") or []
        return all(map(_is_view, views))
    except (ValidationError, ValueError):
        return False


def _is_gallery(text: str) -> bool:
    head, *views = text.split("\n")
    _Gallery.model_validate_json(head)
    return all(_is_view(safe_json.loads(view)) for view in views if view)


def _is_view(record: Any) -> bool:
    """Return whether a view is of its types; one of an unknown form is not drawn anyway."""
    view = read_view(record)
    if view is None:
        return True
    values = {name: value for name, value in record.items() if name != "form"}
    kind = type(view)
    if kind not in _VIEWS:
        _VIEWS[kind] = TypeAdapter(kind)
    _VIEWS[kind].validate_python(values)
    return True
