"""Sections of the form: the fields under each heading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from engine.config.fields import FieldSpec
from engine.config.run_config import REGISTRIES
from engine.config.usual import usual_value
from tui.screens.new_run import choices
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.values import Values, edited_text
from tui.widgets.form.view import FieldView, SectionView

DOMAIN = FieldSpec("domain", "choice", None, "What kind of data the network learns from")
"""Not a field of the configuration: it filters data and tasks."""

_WEIGHTS = "model.path"
"""The field that names pre-trained weights."""
_ROLES = {
    "answers": ("answer",),
    "context": ("text",),
    "image": ("image", "input"),
    "inputs": ("input",),
    "label": ("label", "target"),
    "targets": ("target",),
    "text_pair": ("second text",),
    "tokens": ("words",),
}
"""The roles in the data of the columns that fields of a task name, where they differ in name."""
_PERHAPS_NONE = {
    "completion", "inputs", "messages", "prompt", "series", "static", "text", "text_pair",
}  # fmt: skip
"""Fields for which data may have no column, whose roles are all known by the above."""
_NAMED = 4
"""Columns that are named one by one."""


@dataclass(frozen=True)
class Heading:
    """A section of the form: its title and the first parts of its fields' names."""

    title: str
    sections: tuple[str, ...]


HEADINGS = (
    Heading("Data", (DOMAIN.name, "data")),
    Heading("Task", ("task",)),
    Heading("Model", ("model", "adapter")),
    Heading("Training", ("train",)),
    Heading("Run", ("name", "title", "compute")),
)


@dataclass(frozen=True, slots=True)
class Known:
    """The facts about the data that the form shows."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """The columns, each with a line about it."""
    settled: Mapping[str, str] = field(default_factory=dict)
    """Values that automatic fields come to."""


def sections_of(
    draft: Draft, advanced: bool, known: Known | None = None, shown: str = ""
) -> list[SectionView]:
    """Return the form's sections for a draft.

    ``advanced`` shows all fields. Changed fields, fields with errors and ``shown`` are always
    visible.
    """
    known = known or Known()
    return [_section(heading, draft, advanced, known, shown) for heading in HEADINGS]


def heading_of(name: str) -> int:
    """Return the index of a field's heading."""
    first = name.partition(".")[0]
    known = (i for i, heading in enumerate(HEADINGS) if first in heading.sections)
    return next(known, len(HEADINGS) - 1)


def applies(values: Values, name: str) -> bool:
    """Return whether the field applies.

    Those of an adapter do only with an adapter, some of a model only for a new network, others only
    for a pre-trained one.
    """
    section, _, key = name.partition(".")
    if section == "adapter":
        return key == "method" or values.text("adapter.method") != "none"
    weights = values.fields[name].weights
    return not weights or weights == ("pre-trained" if values.text(_WEIGHTS) else "new")


def _section(
    heading: Heading, draft: Draft, advanced: bool, known: Known, shown: str
) -> SectionView:
    views = list(_views(heading, draft, known))
    kept = [view for view in views if advanced or view.spec.name == shown or not _folds(view)]
    return SectionView(heading.title, kept, len(views) - len(kept), _note(heading, draft.values))


def _note(heading: Heading, values: Values) -> str:
    """Return a note on the fields that do not apply to a pre-trained network."""
    if "model" not in heading.sections:
        return ""
    new = [name for name, spec in values.fields.items() if spec.weights == "new"]
    count = sum(not applies(values, name) for name in new)
    return f"{count} hidden (pre-trained)" if count else ""


def _folds(view: FieldView) -> bool:
    """Return whether a field is hidden at first; what the preset has set is seen."""
    if not view.spec.advanced or view.changed or view.problem:
        return False
    return view.text in ("", edited_text(view.spec.default, view.spec))


def _views(heading: Heading, draft: Draft, known: Known) -> Iterator[FieldView]:
    if DOMAIN.name in heading.sections:
        yield FieldView(DOMAIN, draft.domain, choices.domains())
    index, values = HEADINGS.index(heading), draft.values
    for name, spec in sorted(values.fields.items(), key=lambda item: _order(values, item[1])):
        if heading_of(name) == index and (applies(values, name) or draft.problem(name)):
            yield FieldView(
                spec,
                values.text(name),
                _options(values, spec, known.columns),
                draft.changed(name),
                draft.text_before(name) if draft.changed(name) else "",
                draft.problem(name),
                _automatic(values, spec, known),
            )


def _automatic(values: Values, spec: FieldSpec, known: Known) -> str:
    """Return what an automatic field comes to; empty where that is not known."""
    if spec.column and spec.found:
        return _columns_of(spec, known.columns) if spec.name.startswith("task.") else ""
    if spec.name in known.settled:
        return known.settled[spec.name]
    config = values.checked.config
    return usual_value(config, spec.name) if config else ""


def _columns_of(spec: FieldSpec, columns: Mapping[str, str]) -> str:
    """Return the columns that an empty field came to; empty where the data does not tell it."""
    roles = _ROLES.get(spec.key, (spec.key,))
    found = [name for name, about in columns.items() if about.rpartition(", ")[2] in roles]
    if not found:
        known = any(columns.values()) and spec.key in _PERHAPS_NONE
        return "none" if known else ""
    if spec.kind == "text":
        return found[0] if len(found) == 1 else ""
    return ", ".join(found) if len(found) <= _NAMED else f"{len(found)} columns"


def _order(values: Values, spec: FieldSpec) -> tuple[bool, bool, bool]:
    """Order fields: the kind, columns of a task, its own, those of all kinds, an adapter's."""
    section = spec.name.partition(".")[0]
    return (
        not spec.name.endswith(".kind"),
        section == "task" and not spec.column,
        section == "adapter" or _inherited(values, spec.name),
    )


def _inherited(values: Values, name: str) -> bool:
    """Return whether all kinds of a section have the field; special fields come before it."""
    section, _, key = name.partition(".")
    if section not in REGISTRIES or key == "kind":
        return False
    return key.partition(".")[0] not in REGISTRIES[section][values.kind(section)].__annotations__


def _options(values: Values, spec: FieldSpec, columns: Mapping[str, str]) -> Mapping[str, str]:
    if not spec.column:
        return choices.options(values, spec.name)
    if not columns:
        return {}
    several = spec.kind in ("list", "mapping")
    empty = "found in the data" if spec.found else "no column"
    return dict(columns) if several else {"": empty, **columns}
