"""What the form shows: plain data, made anew whenever something changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.config.fields import FieldSpec


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field with its value."""

    spec: FieldSpec
    text: str
    """The value as it is edited."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Values to choose from, each with a line about it; empty where there are none."""
    changed: bool = False
    """Whether it differs from the preset."""
    before: str = ""
    """The preset's value, as it is edited, of a field that differs."""
    problem: str = ""

    @property
    def label(self) -> str:
        """The name without the section that the heading says."""
        section, _, rest = self.spec.name.partition(".")
        return self.spec.name if not rest or section == "adapter" else rest

    @property
    def closed(self) -> bool:
        """Whether only the options may be chosen."""
        return self.spec.kind == "choice"

    @property
    def several(self) -> bool:
        """Whether any number of the options may be chosen."""
        return self.spec.kind == "list" and bool(self.options)

    @property
    def completes_paths(self) -> bool:
        """Whether it names a file or folder."""
        return self.spec.key == "path" or self.spec.key.endswith("_path")

    @property
    def about(self) -> str:
        """A line about the value."""
        return self.options.get(self.text, "")


@dataclass(frozen=True, slots=True)
class SectionView:
    """Fields under a heading."""

    title: str
    fields: Sequence[FieldView]
    folded: int = 0
    """How many advanced fields are not shown."""

    @property
    def problems(self) -> int:
        """How many of its fields are wrong."""
        return sum(bool(field.problem) for field in self.fields)
