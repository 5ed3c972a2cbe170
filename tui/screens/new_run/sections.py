"""Sections of the form: the fields under each heading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from engine.config.fields import FieldSpec
from engine.config.run_config import REGISTRIES
from engine.config.usual import usual_value
from tui.screens.new_run import choices
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.values import Values
from tui.widgets.form.view import FieldView, SectionView

DOMAIN = FieldSpec("domain", "choice", None, "What kind of data the network learns from")
"""Not a field of the configuration: it filters the tasks."""


@dataclass(frozen=True)
class Heading:
    """A section of the form: its title and the first parts of its fields' names."""

    title: str
    sections: tuple[str, ...]


HEADINGS = (
    Heading("Domain", (DOMAIN.name,)),
    Heading("Task", ("task",)),
    Heading("Data", ("data",)),
    Heading("Model", ("model", "adapter")),
    Heading("Training", ("train",)),
    Heading("Run", ("name", "title", "compute")),
)


def sections_of(
    draft: Draft, advanced: bool, columns: Mapping[str, str], shown: str = ""
) -> list[SectionView]:
    """Return the form's sections for a draft.

    ``advanced`` shows all fields. Changed fields, fields with errors and ``shown`` are always
    visible. ``columns`` are those of the data, each with a line about it.
    """
    return [_section(heading, draft, advanced, columns, shown) for heading in HEADINGS]


def heading_of(name: str) -> int:
    """Return the index of a field's heading."""
    first = name.partition(".")[0]
    known = (i for i, heading in enumerate(HEADINGS) if first in heading.sections)
    return next(known, len(HEADINGS) - 1)


def applies(values: Values, name: str) -> bool:
    """Return whether the field applies: those of an adapter do only with an adapter."""
    section, _, key = name.partition(".")
    return section != "adapter" or key == "method" or values.text("adapter.method") != "none"


def _section(
    heading: Heading, draft: Draft, advanced: bool, columns: Mapping[str, str], shown: str
) -> SectionView:
    views = list(_views(heading, draft, columns))
    kept = [view for view in views if advanced or view.spec.name == shown or not _folds(view)]
    return SectionView(heading.title, kept, len(views) - len(kept))


def _folds(view: FieldView) -> bool:
    return view.spec.advanced and not view.changed and not view.problem


def _views(heading: Heading, draft: Draft, columns: Mapping[str, str]) -> Iterator[FieldView]:
    if DOMAIN.name in heading.sections:
        yield FieldView(DOMAIN, draft.domain, choices.domains())
    index, values = HEADINGS.index(heading), draft.values
    for name, spec in sorted(values.fields.items(), key=lambda item: _inherited(values, item[0])):
        if heading_of(name) == index and applies(values, name):
            yield FieldView(
                spec,
                values.text(name),
                _options(values, spec, columns),
                draft.changed(name),
                draft.text_before(name) if draft.changed(name) else "",
                values.checked.problems.get(name, ""),
                _automatic(values, name),
            )


def _automatic(values: Values, name: str) -> str:
    """Return what an empty field comes to; empty where that is not known."""
    config = values.checked.config
    return usual_value(config, name) if config else ""


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
    return dict(columns) if several else {"": "let the program find it", **columns}
