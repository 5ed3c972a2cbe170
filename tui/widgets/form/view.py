"""The state of the form: plain data, rebuilt on every change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.config.fields import FieldSpec


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field with its value."""

    spec: FieldSpec
    text: str
    """The value as edited."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Values to choose from, each with a line about it; empty where there are none."""
    changed: bool = False
    """Whether it differs from the preset."""
    before: str = ""
    """The preset's value as edited, for a field that differs."""
    problem: str = ""
    automatic: str = ""
    """The value that an empty one comes to."""

    @property
    def label(self) -> str:
        """The name without the section, which the heading shows."""
        section, _, rest = self.spec.name.partition(".")
        return self.spec.name if not rest or section == "adapter" else rest

    @property
    def left_open(self) -> bool:
        """Whether the value is one that leaves the choice to the program, such as 0 pixels."""
        return bool(self.text) and self.text == self.spec.automatic

    @property
    def closed(self) -> bool:
        """Whether only the options are allowed."""
        return self.spec.kind == "choice"

    @property
    def steps(self) -> Sequence[str]:
        """The values that the left and right keys step through; empty for other fields."""
        if self.spec.kind == "bool":
            return ["false", "true"]
        return list(self.options) if self.closed else []

    @property
    def several(self) -> bool:
        """Whether any number of the options may be selected."""
        return self.spec.kind == "list" and bool(self.options)

    @property
    def maps(self) -> bool:
        """Whether a value may be set for each of the options."""
        return self.spec.kind == "mapping" and bool(self.options)

    @property
    def names_path(self) -> bool:
        """Whether it names a file or folder."""
        return self.spec.key == "path" or self.spec.key.endswith("_path")

    @property
    def about(self) -> str:
        """A line about the value; none beside an automatic one that is known."""
        return "" if self.automatic and not self.text else self.options.get(self.text, "")


@dataclass(frozen=True, slots=True)
class SectionView:
    """Fields under a heading."""

    title: str
    fields: Sequence[FieldView]
    folded: int = 0
    """Number of advanced fields that are hidden."""
    note: str = ""
    """A line beside the title."""

    @property
    def problems(self) -> int:
        """Number of its fields with errors."""
        return sum(bool(field.problem) for field in self.fields)
