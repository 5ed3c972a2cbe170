"""The dialogs on a draft: types of columns, images, checks, target modules."""

from __future__ import annotations

from collections.abc import Sequence

from engine.reports.findings import Mend
from tui.screens.new_run.draft_form import DraftForm
from tui.screens.registry import make_screen
from tui.widgets.form.column_types import ColumnTypesScreen
from tui.widgets.question import Ask

_TYPES = "data.columns"


class DraftDialogs:
    """Opens them; what they return is entered into the form."""

    def __init__(self, form: DraftForm, ask: Ask, check: Ask | None) -> None:
        """``ask`` answers questions on the draft.

        ``check`` answers those of the check of the data, which else starts a helper process of its
        own.
        """
        self._form = form
        self._ask = ask
        self._check = check

    def column_types(self) -> None:
        """Let the types of the data's columns be set."""

        async def chosen(text: str | None) -> None:
            if text is not None:
                await self._form.edit(_TYPES, text)

        values, columns = self._form.draft.values, self._form.known.columns
        dialog = ColumnTypesScreen(values.fields[_TYPES], values.text(_TYPES), columns)
        self._form.app.push_screen(dialog, chosen)

    def images(self) -> None:
        """Show images of each class."""
        config = self._form.config
        if config is None:
            self._form.point_at_problem()
        else:
            self._form.app.push_screen(make_screen("images", config.values(), self._ask))

    def check_data(self) -> None:
        """Check the data; apply the changes that are chosen."""
        config = self._form.config
        if config is None:
            self._form.point_at_problem()
            return

        async def chosen(mends: Sequence[Mend] | None) -> None:
            for mend in mends or ():
                self._form.draft.mend(mend)
            if mends:
                await self._form.show_draft()

        dialog = make_screen("data check", config.values(), self._check)
        self._form.app.push_screen(dialog, chosen)

    def check_model(self) -> None:
        """Show what the model has for the task, without reading its weights."""
        draft = self._form.draft
        tree = draft.values.tree
        values = {section: tree[section] for section in ("task", "model")}
        self._form.app.push_screen(
            make_screen("model check", values, draft.adapter_rank, self._ask)
        )

    def target_modules(self, field: str) -> None:
        """Let the layers be chosen that get an adapter, for a field."""

        async def chosen(text: str | None) -> None:
            if text is not None:
                await self._form.edit(field, text)

        self._form.app.push_screen(make_screen("targets", self._form.draft, self._ask), chosen)
