"""What the field means that has the focus."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content
from textual.widgets import Static

from engine.overrides import text_of
from tui.text import literal
from tui.widgets.form.view import FieldView


class FieldHelp(Static):
    """Two lines: the field with its meaning, and what may be given; first of all what is wrong."""

    def show(self, view: FieldView | None) -> None:
        """Explain a field."""
        self.update(Content("\n").join(_lines(view)) if view else "")


def _lines(view: FieldView) -> Iterator[Content]:
    spec = view.spec
    yield literal(spec.name).stylize("bold") + literal(f"  {spec.help}")
    if view.problem:
        yield literal(view.problem, 400).stylize("$text-error")
    else:
        yield literal("; ".join(_allowed(view)), 400).stylize("$text-muted")


def _allowed(view: FieldView) -> Iterator[str]:
    spec = view.spec
    if spec.kind == "choice":
        yield "one of " + ", ".join(view.options or spec.choices)
    else:
        yield spec.allowed + (f" ({spec.unit})" if spec.unit else "")
    if spec.default not in (None, "", ()):
        yield f"default {text_of(spec.default, spec)}"
