"""The help of a field: in two lines for the focused one, and in full."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content
from textual.widgets import Static

from engine.config.overrides import text_of
from tui.format.text import literal
from tui.terminal.key_names import key_of
from tui.widgets.form.view import FieldView


class FieldHelp(Static):
    """The field with its meaning and allowed values; its error instead, if there is one."""

    def show(self, view: FieldView | None) -> None:
        """Explain a field."""
        self.update(_text(view, key_of(self.app, "undo")) if view else "", layout=False)


def _text(view: FieldView, undo_key: str) -> Content:
    name = literal(view.spec.name).stylize("bold") + Content("  ")
    if view.problem:
        return name + literal(view.problem, 400).stylize("$text-error")
    allowed = literal("; ".join(_allowed(view)), 400).stylize("$text-muted")
    changed = literal(f"was {_shown(view.before)}, {undo_key} undoes · ").stylize("$text-warning")
    return (
        name
        + (changed if view.changed else Content(""))
        + literal(view.spec.help, 400)
        + Content(" · ")
        + allowed
    )


def explanation(view: FieldView) -> list[Content]:
    """Return the full help of a field, to be read in a box."""
    facts = {
        "takes": view.spec.allowed,
        "unit": view.spec.unit,
        "usually": "" if view.spec.default is None else text_of(view.spec.default, view.spec),
        "is": _shown(view.text),
        "was": _shown(view.before) if view.changed else "",
        "wrong": view.problem,
    }
    lines = [literal(view.spec.help, 2000), Content("")]
    lines += [_fact(name, fact) for name, fact in facts.items() if fact]
    if not any(view.options.values()):
        return lines  # the allowed values are listed already
    lines.append(Content(""))
    for value, about in view.options.items():
        lines.append(literal(_shown(value)).stylize("bold") + literal(f"  {about}", 400))
    return lines


def _fact(name: str, fact: str) -> Content:
    return Content.styled(f"{name:<9}", "$text-muted") + literal(fact, 1000)


def _shown(text: str) -> str:
    return text or "–"


def _allowed(view: FieldView) -> Iterator[str]:
    spec = view.spec
    if spec.kind == "choice":
        yield "one of " + ", ".join(view.options or spec.choices)
    else:
        yield spec.allowed + (f" ({spec.unit})" if spec.unit else "")
    if spec.default not in (None, "", ()):
        yield f"default {text_of(spec.default, spec)}"
