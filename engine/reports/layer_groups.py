"""Groups of layers that can get an adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class TargetGroup:
    """Layers of one name that can get an adapter."""

    name: str
    """Last part of the layers' names (``query``, ``q_proj``, ``conv1``), with the part before it
    where layers of that name have several (``intermediate.dense``, ``output.dense``)."""
    count: int
    shapes: tuple[str, ...]
    """Distinct shapes, inputs before outputs: ``384→384``, ``64→128 3×3``."""
    parameters_per_rank: int
    """Parameters that all layers of the group add for each unit of rank."""
    outputs: int
    """Of all layers of the group: DoRA trains a magnitude for each besides."""
    preset: tuple[str, ...] = ()
    """Those of :data:`TARGET_PRESETS` that contain the group."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Number of layers by preset that contains some of them, but not all."""

    def named(self, target: str) -> bool:
        """Return whether a target of a configuration contains the group."""
        return target in self.preset or f".{self.name}".endswith(f".{target}")

    def record(self) -> dict[str, Any]:
        """Return the group as JSON values."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> TargetGroup:
        """Read back what :meth:`record` made, from JSON too."""
        lists = {name: tuple(record[name]) for name in ("shapes", "preset")}
        return cls(**{**record, **lists})
