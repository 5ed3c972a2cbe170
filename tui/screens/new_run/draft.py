"""The draft of an experiment: values, errors and changes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engine.config.fields import FieldSpec
from engine.config.overrides import Tree, apply_override, look_up, text_of
from engine.config.run_config import REGISTRIES, RunConfig, fields_of
from engine.config.tasks.registry import TASKS
from engine.errors import ConfigError
from engine.files.slugs import to_name
from tui.screens.new_run import choices

_NAMING = ("task.kind", "data.kind", "data.name", "data.path", "model.kind")
"""Fields after whose change a run is no longer named after its preset."""


@dataclass(frozen=True)
class Checked:
    """A configuration, or its errors."""

    config: RunConfig | None
    problems: Mapping[str, str]
    """Errors by the dotted name of the field; those of no field under their own name."""


class Draft:
    """A configuration that is being edited, compared with its original.

    Values may be invalid at any time; :attr:`checked` has the errors.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, preset: str = "") -> None:
        self._values: Tree = copy.deepcopy(dict(values)) if values else {}
        self.preset = preset
        """Name of its original preset, if any."""
        for section in REGISTRIES:
            if look_up(self._values, f"{section}.kind") not in REGISTRIES[section]:
                self._values.pop(section, None)
        if "task" not in self._values:
            self._values["task"] = {"kind": next(iter(TASKS))}
        self._follow_task()
        self._base = self.values

    @property
    def values(self) -> Tree:
        """The chosen values, as nested dictionaries; a copy."""
        values = copy.deepcopy(self._values)
        return {"name": self._usual_name()} | values

    @cached_property
    def fields(self) -> dict[str, FieldSpec]:
        """All fields for the chosen kinds, by dotted name."""
        return fields_of(self._values)

    @cached_property
    def checked(self) -> Checked:
        """The configuration, or the errors of its fields."""
        try:
            return Checked(RunConfig.parse(self.values), {})
        except ConfigError as error:
            return Checked(None, {problem.field: problem.message for problem in error.problems})

    @property
    def stray_problems(self) -> list[str]:
        """Errors of fields that do not exist."""
        problems = self.checked.problems.items()
        return [f"{name}: {text}" for name, text in problems if name not in self.fields]

    def value(self, name: str) -> Any:
        """Return the value of a field, its default where none was chosen."""
        if name == "name" and "name" not in self._values:
            return self._usual_name()
        return _value(self._values, self.fields[name])

    def text(self, name: str) -> str:
        """Return the value of a field as edited; empty for none."""
        value = self.value(name)
        return "" if value is None else text_of(value, self.fields[name])

    def set(self, name: str, text: str) -> None:
        """Set a value; an emptied number is reset to its default."""
        spec = self.fields[name]
        if text == "" and spec.kind not in ("text", "list"):
            self._remove(name)
        else:
            apply_override(self._values, f"{name}={text}", self.fields, [])
        if name in _NAMING and self._values.get("name") == self.preset:
            del self._values["name"]
        if name == "task.kind":
            self._follow_task()
        elif name == "data.kind":
            self._take_usual_values()
        self._forget()

    def reset(self, name: str) -> None:
        """Reset a field to its original value."""
        base = look_up(self._base, name)
        self._remove(name)
        if base is not None:
            self.set(name, text_of(base, self.fields[name]))
        self._forget()

    @property
    def domain(self) -> str:
        """The domain of the chosen task."""
        return choices.domain_of(self._kind("task"))

    def set_domain(self, domain: str) -> None:
        """Choose the first task of another domain."""
        if domain != self.domain:
            self.set("task.kind", choices.tasks_of(domain)[0])

    def options(self, name: str) -> dict[str, str]:
        """Return the values that suit the field now, each with a line about it; empty for any."""
        section, _, key = name.rpartition(".")
        if key == "kind":
            return choices.kinds(section, self._kind("task"))
        if section == "data" and (offered := self._offers().get(key)) is not None:
            return dict(offered)
        spec = self.fields[name]
        return dict.fromkeys(spec.choices or spec.suggestions, "")

    def inherited(self, name: str) -> bool:
        """Return whether all kinds of a section have the field; special fields come before it."""
        section, _, key = name.partition(".")
        if section not in REGISTRIES or key == "kind":
            return False
        return key.partition(".")[0] not in REGISTRIES[section][self._kind(section)].__annotations__

    def applies(self, name: str) -> bool:
        """Return whether the field applies: those of an adapter do only with an adapter."""
        section, _, key = name.partition(".")
        return section != "adapter" or key == "method" or self.text("adapter.method") != "none"

    def changed(self, name: str) -> bool:
        """Return whether a field differs from its original value.

        In a section of another kind, from its default.
        """
        if name == "name" and "name" not in self._values:
            return False
        return bool(self.value(name) != self._value_before(name))

    def text_before(self, name: str) -> str:
        """Return the original value of a field as edited; empty for none."""
        value = self._value_before(name)
        return "" if value is None else text_of(value, self.fields[name])

    def _value_before(self, name: str) -> Any:
        kind = f"{name.split('.')[0]}.kind"
        comparable = name == kind or look_up(self._base, kind) == look_up(self._values, kind)
        return _value(self._base if comparable else {}, self.fields[name])

    @property
    def changes(self) -> list[str]:
        """The names of the changed fields."""
        return [name for name in self.fields if self.changed(name)]

    def saved_as(self, preset: str) -> None:
        """Compare the draft with its present values from here on."""
        self.preset = preset
        self._values = self.values | {"name": preset}
        self._base = self.values
        self._forget()

    def _follow_task(self) -> None:
        """Keep model and data if they suit the task, else choose the defaults."""
        for section in ("model", "data"):
            kinds = list(choices.kinds(section, self._kind("task")))
            if look_up(self._values, f"{section}.kind") not in kinds:
                self._values[section] = {"kind": kinds[0]}
        self._take_usual_values()
        metric = look_up(self._values, "train.metric_for_best_model")
        names = [metric.name for metric in TASKS[self._kind("task")].metrics]
        if metric and metric not in names:
            self._remove("train.metric_for_best_model")
        self._forget()

    def _take_usual_values(self) -> None:
        for key, offered in self._offers().items():
            if offered and self._values["data"].get(key, None) not in offered:
                self._values["data"][key] = next(iter(offered))
        self._forget()

    def _offers(self) -> Mapping[str, Mapping[str, str]]:
        return choices.offers(self._kind("data"), self._kind("task"))

    def _kind(self, section: str) -> str:
        return str(self._values[section]["kind"])

    def _usual_name(self) -> str:
        """Return the default name of a run: after its data and model."""
        data = look_up(self._values, "data.name") or look_up(self._values, "data.path") or "data"
        stem = str(data).rstrip("/").rpartition("/")[2].partition(".")[0]
        return to_name(f"{stem}-{self._kind('model')}".replace("_", "-"))

    def _remove(self, name: str) -> None:
        *sections, key = name.split(".")
        part = self._values
        for section in sections:
            part = part.get(section, {})
        part.pop(key, None)

    def _forget(self) -> None:
        self.__dict__.pop("fields", None)
        self.__dict__.pop("checked", None)


def _value(values: Mapping[str, Any], spec: FieldSpec) -> Any:
    value = look_up(values, spec.name)
    if value is None:
        value = spec.default
    return list(value) if isinstance(value, tuple) else value
