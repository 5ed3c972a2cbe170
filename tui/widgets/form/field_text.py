"""The text of a field in the form: a line for its name and value, one for its error."""

from __future__ import annotations

from textual.content import Content

from tui.format.text import literal
from tui.widgets.form.view import FieldView

_LABEL_WIDTH = 30


def field_text(view: FieldView, focused: bool, editing: bool) -> Content:
    """Return name, value and unit, and the error below; an input shows the value while editing."""
    value = Content("") if editing else _value(view, stepped=focused and bool(view.steps))
    line = _head(view, "›" if focused or editing else " ") + value
    if not view.problem:
        return line
    return line + Content("\n  ! ") + literal(view.problem, 400).stylize("$text-error")


def _head(view: FieldView, pointer: str) -> Content:
    mark = Content("*" if view.changed else " ").stylize("$text-warning bold")
    style = "$text-error" if view.problem else "$text-muted"
    label = literal(view.label, _LABEL_WIDTH - 3).stylize(style)
    gap = Content(" " * (_LABEL_WIDTH - 2 - len(label.plain)))
    return Content(pointer) + mark + label + gap


def _value(view: FieldView, stepped: bool) -> Content:
    chosen = bool(view.text) and not view.left_open
    value = literal(_shown(view)).stylize("bold" if chosen else "$text-muted")
    if stepped:
        value = Content("‹ ") + value + Content(" ›")
    rest = "  ".join(filter(None, [view.spec.unit if chosen else "", view.about]))
    return value + literal(f"  {rest}" if rest else "").stylize("$text-muted")


def _shown(view: FieldView) -> str:
    if view.left_open:
        return "automatic"
    if view.text:
        return view.text.replace(",", ", ") if view.spec.kind == "list" else view.text
    if view.spec.kind == "mapping":
        return "as found"
    if view.automatic:
        return f"automatic → {view.automatic}"
    return "automatic" if view.spec.column and view.spec.found else "–"
