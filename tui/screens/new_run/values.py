"""The chosen values of an experiment, whether valid or not."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.config.fields import FieldSpec
from engine.config.overrides import Tree, apply_override, look_up, text_of
from engine.config.run_config import RunConfig, fields_of
from engine.config.usual_name import usual_name
from engine.errors import ConfigError


@dataclass(frozen=True)
class Checked:
    """A configuration, or its errors."""

    config: RunConfig | None
    problems: Mapping[str, str]
    """Errors by the dotted name of the field; those of no field under their own name."""


@dataclass(frozen=True)
class Values:
    """Values by field, with a kind for each section; a change returns new ones."""

    chosen: Tree
    """The chosen values as nested dictionaries; fields without one have their default."""

    @property
    def tree(self) -> Tree:
        """The chosen values and the name of the run, as nested dictionaries; a copy."""
        return {"name": usual_name(self.chosen)} | copy.deepcopy(self.chosen)

    @cached_property
    def fields(self) -> dict[str, FieldSpec]:
        """All fields for the chosen kinds, by dotted name."""
        return fields_of(self.chosen)

    @cached_property
    def checked(self) -> Checked:
        """The configuration, or the errors of its fields."""
        try:
            return Checked(RunConfig.parse(self.tree), {})
        except ConfigError as error:
            return Checked(None, {problem.field: problem.message for problem in error.problems})

    @property
    def stray_problems(self) -> list[str]:
        """Errors of fields that do not exist."""
        problems = self.checked.problems.items()
        return [f"{name}: {text}" for name, text in problems if name not in self.fields]

    def kind(self, section: str) -> str:
        """Return the kind of a section."""
        return str(self.chosen[section]["kind"])

    def value(self, name: str) -> Any:
        """Return the value of a field, its default where none was chosen."""
        if name == "name" and "name" not in self.chosen:
            return usual_name(self.chosen)
        return value_in(self.chosen, self.fields[name])

    def text(self, name: str) -> str:
        """Return the value of a field as edited; empty for none."""
        return edited_text(self.value(name), self.fields[name])

    def with_text(self, name: str, text: str) -> Values:
        """Return the values with one as edited; an emptied number is reset to its default."""
        if text == "" and self.fields[name].kind not in ("text", "list"):
            return self.without(name)
        chosen = dict(self.chosen)
        apply_override(chosen, f"{name}={text}", self.fields, [])
        return Values(chosen)

    def without(self, name: str) -> Values:
        """Return the values with a field reset to its default."""
        *sections, key = name.split(".")
        part = chosen = copy.deepcopy(self.chosen)
        for section in sections:
            part = part.get(section, {})
        part.pop(key, None)
        return Values(chosen)


def value_in(tree: Mapping[str, Any], spec: FieldSpec) -> Any:
    """Return the value of a field in nested dictionaries, else its default."""
    value = look_up(tree, spec.name)
    if value is None:
        value = copy.copy(spec.default)
    return list(value) if isinstance(value, tuple) else value


def edited_text(value: Any, spec: FieldSpec) -> str:
    """Return a value of a field as edited; empty for none."""
    return "" if value is None else text_of(value, spec)
