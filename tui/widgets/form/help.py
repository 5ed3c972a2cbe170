"""What the field means that has the focus."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content
from textual.widgets import Static

from engine.overrides import text_of
from tui.text import literal
from tui.widgets.form.view import FieldView


class FieldHelp(Static):
    """The field with its meaning, and what may be given; what is wrong instead, if anything is."""

    def show(self, view: FieldView | None) -> None:
        """Explain a field."""
        self.update(_text(view) if view else "", layout=False)


def _text(view: FieldView) -> Content:
    name = literal(view.spec.name).stylize("bold") + Content("  ")
    if view.problem:
        return name + literal(view.problem, 400).stylize("$text-error")
    allowed = literal("; ".join(_allowed(view)), 400).stylize("$text-muted")
    return name + literal(view.spec.help) + Content(" · ") + allowed


def _allowed(view: FieldView) -> Iterator[str]:
    spec = view.spec
    if spec.kind == "choice":
        yield "one of " + ", ".join(view.options or spec.choices)
    else:
        yield spec.allowed + (f" ({spec.unit})" if spec.unit else "")
    if spec.default not in (None, "", ()):
        yield f"default {text_of(spec.default, spec)}"
