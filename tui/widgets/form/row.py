"""One field of the form: a line with its name and value, and a line for its error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input
from typing_extensions import override

from engine.config.overrides import parse_value
from tui.format.text import literal
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.form.paths import PathSuggester
from tui.widgets.form.several import SeveralScreen
from tui.widgets.form.value_input import ValueInput
from tui.widgets.form.view import FieldView

LABEL_WIDTH = 30


class FieldRow(Widget, can_focus=True):
    """Shows and edits a field; changes are posted as messages."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "edit", "Change", key_display="enter"),
        Binding("space", "edit", "Change", show=False),
        Binding("left,h", "step(-1)", "Value before", show=False),
        Binding("right,l", "step(1)", "Value after", show=False),
        Binding("u,backspace,delete", "reset", "Undo change", show=False),
    ]

    @dataclass
    class Edited(Message):
        """A value was typed or chosen; it may be invalid."""

        name: str
        text: str

    @dataclass
    class Reset(Message):
        """The field is to be reset to its initial value."""

        name: str

    @dataclass
    class LayersWanted(Message):
        """Layers of the model are to be selected."""

        name: str

    @dataclass
    class Stepped(Message):
        """The next or the previous field is to be focused."""

        row: FieldRow
        step: int

    def __init__(self, view: FieldView) -> None:
        super().__init__(name=view.spec.name)
        self.view = view
        self._before = ""

    @property
    def editing(self) -> bool:
        """Whether its value is being typed."""
        return bool(self.query(ValueInput))

    def show(self, view: FieldView) -> None:
        """Show another state of the same field."""
        if view != self.view:
            self.view = view
            self.set_class(bool(view.problem), "-wrong")
            self.refresh()

    def on_mount(self) -> None:
        """Make room for an initial error."""
        self.set_class(bool(self.view.problem), "-wrong")

    @override
    def render(self) -> Content:
        """Return name, value and unit; below them the error."""
        view = self.view
        line = self._head() + (Content("") if self.editing else self._value())
        if not view.problem:
            return line
        return line + Content("\n  ! ") + literal(view.problem, 400).stylize("$text-error")

    def _head(self) -> Content:
        view = self.view
        pointer = "›" if self.has_focus or self.editing else " "
        mark = Content("*" if view.changed else " ").stylize("$text-warning bold")
        label = literal(view.label, LABEL_WIDTH - 3).stylize(
            "$text-error" if view.problem else "$text-muted"
        )
        return Content(pointer) + mark + label + Content(" " * (LABEL_WIDTH - 2 - len(label.plain)))

    def _value(self) -> Content:
        view = self.view
        steps = self.has_focus and self._steps
        value = literal(_shown(view)).stylize("bold" if view.text else "$text-muted")
        if steps:
            value = Content("‹ ") + value + Content(" ›")
        rest = "  ".join(filter(None, [view.spec.unit if view.text else "", view.about]))
        return value + literal(f"  {rest}" if rest else "").stylize("$text-muted")

    @property
    def _steps(self) -> list[str]:
        """The values that the left and right keys step through."""
        if self.view.spec.kind == "bool":
            return ["false", "true"]
        return list(self.view.options) if self.view.closed else []

    def on_focus(self) -> None:
        """Show the pointer."""
        self.refresh()

    def on_blur(self) -> None:
        """Hide the pointer."""
        self.refresh()

    async def on_click(self, event: events.Click) -> None:
        """Edit the value on a second click."""
        event.stop()
        if self.has_focus and not self.editing and event.chain == 2:
            await self.action_edit()

    async def action_edit(self) -> None:
        """Toggle, choose or type, depending on the field."""
        view = self.view
        if view.spec.kind == "bool":
            self.action_step(1)
        elif view.spec.layers:
            self.post_message(self.LayersWanted(view.spec.name))
        elif view.several:
            chosen = parse_value(view.text, view.spec)
            await self._ask(SeveralScreen(view.spec.name, view.options, list(map(str, chosen))))
        elif view.options:
            await self._ask(ChoiceScreen(view.spec.name, view.options, view.text, not view.closed))
        else:
            await self._type()

    def action_step(self, step: int) -> None:
        """Choose the next or the previous value."""
        steps = self._steps
        if steps:
            at = steps.index(self.view.text) + step if self.view.text in steps else 0
            self._choose(steps[at % len(steps)])

    def action_reset(self) -> None:
        """Undo the change."""
        self.post_message(self.Reset(self.view.spec.name))

    async def _ask(self, screen: ChoiceScreen | SeveralScreen) -> None:
        """Open the list and wait until it can take the next keys."""
        await self.app.push_screen(screen, self._choose)

    def _choose(self, text: str | None) -> None:
        if text is not None:
            self.post_message(self.Edited(self.view.spec.name, text))

    async def _type(self) -> None:
        self._before = self.view.text
        suggester = PathSuggester() if self.view.completes_paths else None
        editor = ValueInput(self._before, suggester=suggester, compact=True)
        await self.mount(editor)
        self.screen.set_focus(editor)
        self.refresh()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self.view.text:
            self._choose(event.value)

    @on(Input.Submitted)
    async def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        await self._stop_typing()
        self.focus()

    @on(Input.Blurred)
    def _blurred(self, event: Input.Blurred) -> None:
        """End editing when another field is focused; not when the terminal loses the focus."""
        event.stop()
        self.call_after_refresh(self._stop_typing_elsewhere)

    @on(ValueInput.Left)
    async def _left(self, event: ValueInput.Left) -> None:
        event.stop()
        if not event.keep:
            self._choose(self._before)
        await self._stop_typing()
        self.focus()
        if event.step:
            self.post_message(self.Stepped(self, event.step))

    async def _stop_typing_elsewhere(self) -> None:
        focused = self.screen.focused
        if focused is not None and not isinstance(focused, ValueInput):
            await self._stop_typing()

    async def _stop_typing(self) -> None:
        await self.query(ValueInput).remove()
        self.refresh()


def _shown(view: FieldView) -> str:
    if view.text:
        return view.text.replace(",", ", ") if view.spec.kind == "list" else view.text
    return "automatic" if view.spec.column else "–"
