"""The form of a draft: what is edited in it is edited in the draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from textual import on
from textual.message import Message

from engine.config.presets import Preset, load_preset
from engine.config.run_config import RunConfig
from engine.errors import UserError
from tui.screens.dialogs.base import ReadScreen
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.sections import DOMAIN, HEADINGS, Known, sections_of
from tui.widgets.form.form import Form
from tui.widgets.form.help import explanation
from tui.widgets.form.row import FieldRow
from tui.widgets.form.view import SectionView
from tui.widgets.notify import complain


class DraftForm(Form):
    """Holds the draft and the state of its form; posts every change."""

    @dataclass
    class Changed(Message):
        """The draft or its form was changed."""

        views: Sequence[SectionView]

    def __init__(self, draft: Draft) -> None:
        """Edit ``draft``."""
        super().__init__(len(HEADINGS))
        self.draft = draft
        self.known = Known()
        self._advanced = False
        self._refused = False

    @property
    def config(self) -> RunConfig | None:
        """The configuration of the draft; ``None`` while it has errors."""
        return self.draft.values.checked.config

    @property
    def current_name(self) -> str:
        """Name of the field that has the focus; empty for none."""
        return self.current.view.spec.name if self.current else ""

    async def refuse(self, error: UserError) -> None:
        """Show the error of a run that was not started, and go to the field that it is about."""
        name = self.draft.blame(str(error))
        self._refused = True
        await self.show_draft()
        self.go_to(name)
        complain(self, error)

    async def show_draft(self) -> None:
        """Show the draft as it is now."""
        views = await self._show_fields()
        # A message made by a handler of the parent has that as its sender, and would end there.
        self.post_message(self.Changed(views).set_sender(self))

    async def _show_fields(self) -> Sequence[SectionView]:
        views = sections_of(self.draft, self._advanced, self.known, self.current_name)
        with self.app.batch_update():  # one layout for all sections
            await self.show(views)
        return views

    async def show_settled(self, settled: Mapping[str, str]) -> None:
        """Show the values that automatic fields come to."""
        if settled != self.known.settled:
            self.known = replace(self.known, settled=settled)
            await self._show_fields()

    async def show_columns(self, columns: Mapping[str, str]) -> None:
        """Offer the columns of the data, each with a line about it."""
        self.known = replace(self.known, columns=columns) if columns else Known()
        if columns and self._refused:  # the data can be used now
            self._refused = False
            self.draft.failure = ("", "")
        await self.show_draft()

    async def toggle_advanced(self) -> None:
        """Show or hide the advanced fields; the focused one stays on the screen."""
        self._advanced = not self._advanced
        await self.show_draft()
        if (row := self.current) is not None:
            self.call_after_refresh(row.scroll_visible, animate=False)

    async def load(self, preset: Preset) -> None:
        """Replace the draft by one of a preset."""
        try:
            values = load_preset(preset).values()
        except UserError as error:
            complain(self, error)
            return
        self.draft = Draft(values, preset.name)
        await self.show_draft()

    def point_at_problem(self) -> None:
        """Focus the first field with an error and notify the user of the error."""
        name, text = next(iter(self.draft.values.checked.problems.items()))
        self.go_to(name)
        complain(self, UserError(f"{name}: {text}"))

    def explain(self) -> None:
        """Show the full help of the focused field."""
        if (row := self.current) is not None:
            self.app.push_screen(ReadScreen(row.view.spec.name, explanation(row.view)))

    async def edit(self, name: str, text: str) -> None:
        """Set a field as edited."""
        if name == DOMAIN.name:
            self.draft.set_domain(text)
        else:
            self.draft.set(name, text)
        await self.show_draft()

    @on(FieldRow.Edited)
    async def _edited(self, event: FieldRow.Edited) -> None:
        event.stop()
        await self.edit(event.name, event.text)

    @on(FieldRow.Reset)
    async def _reset(self, event: FieldRow.Reset) -> None:
        event.stop()
        if event.name != DOMAIN.name:
            self.draft.reset(event.name)
            await self.show_draft()
