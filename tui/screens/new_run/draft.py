"""The draft of an experiment: its values, and their changes since the original."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.config.overrides import look_up, text_of
from engine.reports.findings import Mend
from tui.screens.new_run import choices, suitable
from tui.screens.new_run.blame import blamed
from tui.screens.new_run.values import Values, edited_text, value_in

_NAMING = ("task.kind", "data.kind", "data.name", "data.path", "model.kind")
"""Fields after whose change a run is no longer named after its preset, or its former data."""


class Draft:
    """A configuration that is being edited, compared with its original."""

    def __init__(self, values: Mapping[str, Any] | None = None, preset: str = "") -> None:
        self.values = suitable.complete(dict(values or {}))
        """The values as they are now; may be invalid at any time."""
        self.preset = preset
        """Name of its original preset, if any."""
        self._original = self.values.tree
        self.failure = ("", "")
        """A field and the error message of the failed run that it was copied from."""

    def blame(self, message: str) -> str:
        """Show the message of a failed run at its field, until this is changed; return its name."""
        self.failure = blamed(self.values, message), message
        return self.failure[0]

    def problem(self, name: str) -> str:
        """Return what is wrong with a field, or was in the run that it was copied from."""
        known = self.values.checked.problems.get(name, "")
        return known or (self.failure[1] if name == self.failure[0] else "")

    def set(self, name: str, text: str) -> None:
        """Set a value; an emptied number is reset to its default.

        The task follows data that it cannot use, if another one of the domain can.
        """
        if name == self.failure[0]:
            self.failure = ("", "")
        values = suitable.with_task_for(self.values, name, text).with_text(name, text)
        if name == "data.kind":
            values = suitable.keep_path(values, self.values)
        automatic = (self.preset, self.values.without("name").value("name"))
        if name in _NAMING and values.chosen.get("name") in automatic:
            values = values.without("name")
        if name == "task.kind":
            values = suitable.follow_task(values)
        elif name == "data.kind":
            values = suitable.follow_data(values)
        self.values = values

    def mend(self, mend: Mend) -> None:
        """Apply a change that the check of the data offers."""
        columns, rows, marked = (
            self.values.value(f"data.{name}") for name in ("columns", "drop_rows", "mark_rows")
        )
        for name, value in mend.fields(columns, rows, marked).items():
            self.set(name, text_of(value, self.values.fields[name]))

    def reset(self, name: str) -> None:
        """Reset a field to its original value."""
        original = look_up(self._original, name)
        self.values = self.values.without(name)
        if original is not None:
            self.set(name, text_of(original, self.values.fields[name]))

    @property
    def domain(self) -> str:
        """The domain of the chosen task."""
        return choices.domain_of(self.values.kind("task"))

    def set_domain(self, domain: str) -> None:
        """Choose the first task of another domain."""
        if domain != self.domain:
            self.set("task.kind", choices.tasks_of(domain)[0])

    def changed(self, name: str) -> bool:
        """Return whether a field differs from its original value.

        In a section of another kind, from its default.
        """
        if name == "name" and "name" not in self.values.chosen:
            return False
        return bool(self.values.value(name) != self._value_before(name))

    def text_before(self, name: str) -> str:
        """Return the original value of a field as edited; empty for none."""
        return edited_text(self._value_before(name), self.values.fields[name])

    def _value_before(self, name: str) -> Any:
        kind = f"{name.split('.')[0]}.kind"
        alike = look_up(self._original, kind) == look_up(self.values.chosen, kind)
        comparable = self._original if name == kind or alike else {}
        return value_in(comparable, self.values.fields[name])

    @property
    def adapter_rank(self) -> int:
        """The chosen rank of an adapter; the default if it is invalid."""
        rank = self.values.value("adapter.r")
        fits = isinstance(rank, int) and not isinstance(rank, bool) and rank > 0
        return rank if fits else int(self.values.fields["adapter.r"].default)

    @property
    def changes(self) -> list[str]:
        """The names of the changed fields."""
        return [name for name in self.values.fields if self.changed(name)]

    def saved_as(self, preset: str) -> None:
        """Compare the draft with its present values from here on."""
        self.preset = preset
        self.values = Values(self.values.tree | {"name": preset})
        self._original = self.values.tree
