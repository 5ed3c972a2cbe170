"""The form of a draft: what is edited in it is edited in the draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message

from engine.config.presets import Preset, load_preset
from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.reports.findings import Mend
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.sections import DOMAIN, HEADINGS, sections_of
from tui.screens.registry import make_screen
from tui.widgets.form.column_types import ColumnTypesScreen
from tui.widgets.form.form import Form
from tui.widgets.form.row import FieldRow
from tui.widgets.form.view import SectionView
from tui.widgets.notify import complain
from tui.widgets.question import Ask

_TYPES = "data.columns"


class DraftForm(Form):
    """Holds the draft and the state of its form; posts every change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("D", "check_model", "Check the model", show=False),
    ]

    @dataclass
    class Changed(Message):
        """The draft or its form was changed."""

        views: Sequence[SectionView]

    def __init__(self, draft: Draft, ask: Ask) -> None:
        """Edit ``draft``; ``ask`` gives the layers of its model."""
        super().__init__(len(HEADINGS))
        self.draft = draft
        self._ask = ask
        self._advanced = False
        self._columns: Mapping[str, str] = {}

    @property
    def config(self) -> RunConfig | None:
        """The configuration of the draft; ``None`` while it has errors."""
        return self.draft.values.checked.config

    @property
    def current_name(self) -> str:
        """Name of the field that has the focus; empty for none."""
        return self.current.view.spec.name if self.current else ""

    async def show_draft(self) -> None:
        """Show the draft as it is now."""
        views = sections_of(self.draft, self._advanced, self._columns, self.current_name)
        await self.show(views)
        self.post_message(self.Changed(views))

    async def show_columns(self, columns: Mapping[str, str]) -> None:
        """Offer the columns of the data, each with a line about it."""
        self._columns = columns
        await self.show_draft()

    async def set_column_types(self) -> None:
        """Let the types of the data's columns be set."""

        async def chosen(text: str | None) -> None:
            if text is not None:
                await self._edit(_TYPES, text)

        values = self.draft.values
        dialog = ColumnTypesScreen(values.fields[_TYPES], values.text(_TYPES), self._columns)
        await self.app.push_screen(dialog, chosen)

    def show_images(self, ask: Ask) -> None:
        """Show images of each class."""
        if self.config is None:
            self.point_at_problem()
        else:
            self.app.push_screen(make_screen("images", self.config.values(), ask))

    def check_data(self, ask: Ask | None) -> None:
        """Check the data; apply the changes that are chosen."""
        if self.config is None:
            self.point_at_problem()
            return

        async def chosen(mends: Sequence[Mend] | None) -> None:
            for mend in mends or ():
                self.draft.mend(mend)
            if mends:
                await self.show_draft()

        self.app.push_screen(make_screen("data check", self.config.values(), ask), chosen)

    async def toggle_advanced(self) -> None:
        """Show or hide the advanced fields."""
        self._advanced = not self._advanced
        await self.show_draft()

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

    @on(FieldRow.Edited)
    async def _edited(self, event: FieldRow.Edited) -> None:
        event.stop()
        await self._edit(event.name, event.text)

    @on(FieldRow.Reset)
    async def _reset(self, event: FieldRow.Reset) -> None:
        event.stop()
        if event.name != DOMAIN.name:
            self.draft.reset(event.name)
            await self.show_draft()

    @on(FieldRow.LayersWanted)
    def _layers_wanted(self, event: FieldRow.LayersWanted) -> None:
        event.stop()

        async def chosen(text: str | None) -> None:
            if text is not None:
                await self._edit(event.name, text)

        self.app.push_screen(make_screen("targets", self.draft, self._ask), chosen)

    def action_check_model(self) -> None:
        """Show what the model has for the task, without reading its weights."""
        tree = self.draft.values.tree
        values = {section: tree[section] for section in ("task", "model")}
        self.app.push_screen(make_screen("model check", values, self.draft.adapter_rank, self._ask))

    async def _edit(self, name: str, text: str) -> None:
        if name == DOMAIN.name:
            self.draft.set_domain(text)
        else:
            self.draft.set(name, text)
        await self.show_draft()
