"""The form of a draft beside its data."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from tui.screens.new_run.dialogs import DraftDialogs
from tui.screens.new_run.draft_form import DraftForm
from tui.screens.new_run.sections import DOMAIN, heading_of
from tui.widgets.form.row import FieldRow
from tui.widgets.preview import DataPreview
from tui.widgets.question import Ask


class DraftBody(Horizontal):
    """Both at once where there is room; else the one that has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("D", "check", "Check", show=False),
    ]

    def __init__(
        self, form: DraftForm, preview: DataPreview, ask: Ask, check: Ask | None, id: str
    ) -> None:
        """See :class:`~tui.screens.new_run.dialogs.DraftDialogs` for ``ask`` and ``check``."""
        super().__init__(id=id)
        self._form = form
        self._preview = preview
        self._dialogs = DraftDialogs(form, ask, check)
        self._left_at = DOMAIN.name

    def compose(self) -> ComposeResult:
        """Yield the form and the data."""
        yield self._form
        yield self._preview

    @property
    def at_data(self) -> bool:
        """Whether the data has the focus."""
        return self._preview.has_focus

    def go_to_section(self, index: int) -> None:
        """Focus a section of the form."""
        self.remove_class("-data")
        self._form.go_to_section(index)

    def switch(self) -> None:
        """Focus the data, or the field again from which it was focused."""
        if self.at_data:
            self.remove_class("-data")
            self._form.go_to(self._left_at)
        else:
            self._left_at = self._form.current_name or DOMAIN.name
            self.add_class("-data")
            self._preview.focus()

    def action_check(self) -> None:
        """Check the data from a field of its section, else what the model has for the task."""
        if heading_of(self._form.current_name) == heading_of(DOMAIN.name):
            self._dialogs.check_data()
        else:
            self._dialogs.check_model()

    @on(FieldRow.LayersWanted)
    def _layers_wanted(self, event: FieldRow.LayersWanted) -> None:
        self._dialogs.target_modules(event.name)

    @on(DataPreview.Columns)
    async def _columns_known(self, event: DataPreview.Columns) -> None:
        await self._form.show_columns(event.columns)

    @on(DataPreview.TypesWanted)
    def _types_wanted(self) -> None:
        self._dialogs.column_types()

    @on(DataPreview.ImagesWanted)
    def _images_wanted(self) -> None:
        self._dialogs.images()

    @on(DataPreview.CheckWanted)
    def _check_wanted(self) -> None:
        self._dialogs.check_data()
