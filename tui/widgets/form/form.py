"""The form: sections of fields, one below the other, navigated with the keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.format.text import literal
from tui.terminal.key_names import key_of
from tui.widgets.form.row import FieldRow
from tui.widgets.form.view import SectionView


class FormSection(Vertical):
    """A heading and the rows of its fields."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._head = Static()

    def compose(self) -> list[Static]:
        """Yield the heading; rows come with the first state that is shown."""
        return [self._head]

    @property
    def rows(self) -> list[FieldRow]:
        """Its fields, in order."""
        return list(self.query_children(FieldRow))

    async def show(self, view: SectionView) -> None:
        """Show another state; rows of remaining fields keep their focus."""
        self._head.update(_heading(self._number, view, key_of(self.app, "all")), layout=False)
        rows = {row.view.spec.name: row for row in self.rows}
        wanted = [field.spec.name for field in view.fields]
        await self.remove_children([row for name, row in rows.items() if name not in wanted])
        before: Widget = self._head
        # Neighbours at once: Textual computes the styles of a section for each call.
        for is_new, fields in groupby(view.fields, lambda field: field.spec.name not in rows):
            if not self.is_attached:  # the program was quit meanwhile
                return
            if is_new:
                new = [FieldRow(field) for field in fields]
                await self.mount_all(new, after=before)
                before = new[-1]
            else:
                for field in fields:
                    before = rows[field.spec.name]
                    before.show(field)


class Form(VerticalScroll, can_focus=False):
    """All sections."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Next field", show=False),
        Binding("up,k", "move(-1)", "Previous field", show=False),
        Binding("ctrl+d,pagedown", "half_page(1)", "Half a page down", show=False),
        Binding("ctrl+u,pageup", "half_page(-1)", "Half a page up", show=False),
        Binding("g,home", "end(0)", "First field", show=False),
        Binding("G,end", "end(-1)", "Last field", show=False),
    ]

    def __init__(self, sections: int) -> None:
        super().__init__()
        self._sections = [FormSection(number) for number in range(1, sections + 1)]

    def compose(self) -> list[FormSection]:
        """The sections."""
        return self._sections

    @property
    def rows(self) -> list[FieldRow]:
        """All visible fields, in order."""
        return [row for section in self._sections for row in section.rows]

    @property
    def current(self) -> FieldRow | None:
        """The field that has the focus."""
        return next((row for row in self.rows if row.has_focus_within), None)

    async def show(self, views: Sequence[SectionView]) -> None:
        """Show another state."""
        for section, view in zip(self._sections, views, strict=True):
            await section.show(view)

    def go_to_section(self, index: int) -> None:
        """Go to the first field of a section and show the section from its top."""
        section = self._sections[index]
        if section.rows:
            section.rows[0].focus(scroll_visible=False)
            self.scroll_to_widget(section, top=True, animate=False)

    def go_to(self, name: str) -> None:
        """Focus a field, if it is visible."""
        for row in self.rows:
            if row.view.spec.name == name:
                row.focus()

    def action_move(self, step: int) -> None:
        """Focus a field near the current one."""
        rows = self.rows
        current = self.current
        at = rows.index(current) + step if current else 0
        if 0 <= at < len(rows):
            rows[at].focus()

    def action_half_page(self, pages: int) -> None:
        """Move by as many fields as half of the screen shows."""
        rows = self.rows
        at = rows.index(self.current) if self.current else 0
        rows[max(0, min(at + pages * self.size.height // 2, len(rows) - 1))].focus()

    def action_end(self, index: int) -> None:
        """Focus the first or the last field."""
        self.rows[index].focus()

    @on(FieldRow.Stepped)
    def _stepped(self, event: FieldRow.Stepped) -> None:
        event.stop()
        self.action_move(event.step)


def _heading(number: int, view: SectionView, unfold_key: str) -> Content:
    title = literal(f"{number} {view.title}").stylize("bold $primary")
    folded = f"   + {view.folded} more, {unfold_key} shows all" if view.folded else ""
    note = f"   {view.note}" if view.note else ""
    return title + literal(folded + note).stylize("$text-muted")
