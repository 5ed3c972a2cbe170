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
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.form.column_types import ColumnTypesScreen
from tui.widgets.form.editor import FieldEditor
from tui.widgets.form.field_text import field_text
from tui.widgets.form.path_picker import PathPickerScreen
from tui.widgets.form.several import SeveralScreen
from tui.widgets.form.value_input import ValueInput
from tui.widgets.form.view import FieldView


class FieldRow(Widget, can_focus=True):
    """Shows and edits a field; changes are posted as messages."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "edit", "Change", key_display="enter"),
        Binding("space", "edit", "Change", show=False),
        Binding("left,h", "step(-1)", "Previous value", show=False),
        Binding("right,l", "step(1)", "Next value", show=False),
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
        super().__init__(name=view.spec.name, classes="-wrong" if view.problem else None)
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

    @override
    def render(self) -> Content:
        """Return name, value and unit; below them the error."""
        return field_text(self.view, self.has_focus, self.editing, self.content_size.width)

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
        """Toggle, choose or type, depending on the field; wait until the next keys can be taken."""
        view = self.view
        if view.spec.kind == "bool":
            self.action_step(1)
        elif view.spec.layers:
            self.post_message(self.LayersWanted(view.spec.name))
        elif view.maps:
            types = ColumnTypesScreen(view.spec, view.text, view.options)
            await self.app.push_screen(types, self._choose)
        elif view.several:
            chosen = parse_value(view.text, view.spec)
            several = SeveralScreen(view.spec.name, view.options, list(map(str, chosen)))
            await self.app.push_screen(several, self._choose)
        elif view.names_path:
            picker = PathPickerScreen(view.spec.name, view.text, view.options)
            await self.app.push_screen(picker, self._choose)
        elif view.options:
            empty = "automatic" if view.spec.found else "–"
            choice = ChoiceScreen(view.spec.name, view.options, view.text, not view.closed, empty)
            await self.app.push_screen(choice, self._choose)
        else:
            await self._type()

    def action_step(self, step: int) -> None:
        """Choose the next or the previous value."""
        steps = self.view.steps
        if steps:
            at = steps.index(self.view.text) + step if self.view.text in steps else 0
            self._choose(steps[at % len(steps)])

    def action_reset(self) -> None:
        """Undo the change."""
        self.post_message(self.Reset(self.view.spec.name))

    def _choose(self, text: str | None) -> None:
        if text is not None:
            self.post_message(self.Edited(self.view.spec.name, text))

    async def _type(self) -> None:
        self._before = self.view.text
        editor = FieldEditor(self._before, compact=True)
        await self.mount(editor)
        self.screen.set_focus(editor)
        self.refresh()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value != self.view.text:
            self._choose(event.value)

    @on(ValueInput.Left)
    async def _left(self, event: ValueInput.Left) -> None:
        event.stop()
        if not event.keep:
            self._choose(self._before)
        await self._stop_typing()
        self.focus()
        if event.step:
            self.post_message(self.Stepped(self, event.step))

    @on(FieldEditor.Abandoned)
    async def _stop_typing(self) -> None:
        await self.query(ValueInput).remove()
        self.refresh()
