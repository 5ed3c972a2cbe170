"""A model's weights, inputs, layers and exports for a task, found without reading its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.reports.layer_groups import TargetGroup


@dataclass(frozen=True, slots=True)
class TextInput:
    """The texts that a model takes."""

    longest: int | None
    """Tokens; ``None`` where there is no bound."""
    vocabulary: int
    """Tokens of the tokenizer."""
    added: int
    """Those of them for which the network gets new rows."""
    special: Mapping[str, str]
    """Special tokens by role: padding, beginning, end, unknown."""
    chat_template: bool


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """A network and its weights, its inputs, its layers for adapters, and its exports."""

    network: str
    """Name of the class."""
    architecture: str
    """Type as transformers or torchvision name it."""
    parameters: int
    stored: Mapping[str, int]
    """Bytes of the stored weights by their type: ``{"BF16": 2_200_000_000}``."""
    found: int
    """Weights of the network that are stored."""
    new: tuple[str, ...]
    """Weights that are newly initialised."""
    unused: tuple[str, ...]
    """Stored weights that the network lacks."""
    text: TextInput | None = None
    image_size: int | None = None
    groups: tuple[TargetGroup, ...] = ()
    presets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """``count``, ``parameters_per_rank`` and ``outputs`` of the layers that each preset takes."""
    exports: Mapping[str, str] = field(default_factory=dict)
    """By form: empty where it will work, else the reason why not."""

    def record(self) -> dict[str, Any]:
        """Return the check as JSON values."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> ModelCheck:
        """Read back what :meth:`record` made."""
        text = TextInput(**record["text"]) if record["text"] else None
        groups = tuple(map(TargetGroup.from_record, record["groups"]))
        names = {name: tuple(record[name]) for name in ("new", "unused")}
        return cls(**{**record, **names, "text": text, "groups": groups})
