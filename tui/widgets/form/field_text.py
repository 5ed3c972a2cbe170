"""The text of a field in the form: a line for its name and value, one for its error."""

from __future__ import annotations

from textual.content import Content

from tui.format.text import end_of, literal
from tui.widgets.form.view import FieldView

_LABEL_WIDTH = 30


def field_text(view: FieldView, focused: bool, editing: bool, width: int = 0) -> Content:
    """Return name, value and unit, and the error below; an input shows the value while editing.

    A path that is longer than ``width``, in cells, shows its end; 0 is a width that is not known.
    """
    room = width - _LABEL_WIDTH if width and view.names_path else 0
    value = Content("") if editing else _value(view, focused and bool(view.steps), room)
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


def _value(view: FieldView, stepped: bool, room: int) -> Content:
    chosen = bool(view.text) and not view.left_open
    value = literal(_shown(view), 1000).stylize("bold" if chosen else "$text-muted")
    if room:
        value = end_of(value, room)
    if stepped:
        value = Content("‹ ") + value + Content(" ›")
    about = "" if view.about == view.text else view.about
    rest = "  ".join(filter(None, [view.spec.unit if chosen else "", about]))
    return value + literal(f"  {rest}" if rest else "").stylize("$text-muted")


def _shown(view: FieldView) -> str:
    if view.left_open:
        return f"automatic → {view.automatic}" if view.automatic else "automatic"
    if view.text:
        return view.text.replace(",", ", ") if view.spec.kind == "list" else view.text
    if view.spec.kind == "mapping":
        return "as found"
    if view.automatic:
        return f"automatic → {view.automatic}"
    return "automatic" if view.spec.column and view.spec.found else "–"
