"""The form of a new run: domain, task, data, model, training; its cost; start."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static
from typing_extensions import override

from engine.config.overrides import Tree
from engine.config.presets import Preset
from engine.service.client import Advisor
from tui.format.text import literal
from tui.screens.dialogs.base import ReadScreen
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.new_run.command_bar import CommandBar
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.draft_form import DraftForm
from tui.screens.new_run.launcher import Launcher
from tui.screens.new_run.sections import DOMAIN, HEADINGS, heading_of
from tui.screens.new_run.unsaved import unless_unsaved
from tui.screens.registry import make_screen
from tui.widgets.estimate import EstimateBar
from tui.widgets.form.help import FieldHelp, explanation
from tui.widgets.notify import tell
from tui.widgets.preview import DataPreview
from tui.widgets.question import Ask
from tui.widgets.section_tabs import SectionTab, SectionTabs
from tui.widgets.steady_footer import SteadyFooter


class NewRunScreen(Screen[None]):
    """Shows a draft, which holds the whole state of the experiment."""

    CSS_PATH = "new_run.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"section({number})", f"Go to {heading.title}", show=False)
            for number, heading in enumerate(HEADINGS, 1)
        ),
        Binding("ctrl+r", "start", "Start"),
        Binding("ctrl+l", "start(True)", "Start later, after those in the queue", show=False),
        Binding("ctrl+s", "save", "Save"),
        Binding("ctrl+o", "load", "Load"),
        Binding("a", "advanced", "Unfold"),
        Binding("p", "data", "Data"),
        Binding(
            "dollar_sign",
            "copy",
            "Command",
            key_display="$",
            tooltip="Show and copy the command line for this run",
        ),
        Binding("i,f1", "explain", "About the field", show=False),
        Binding("escape,q", "leave", "Back"),
    ]

    # Textual repaints the whole screen whenever the focus moves: here with each key.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(
        self, values: Tree | None = None, preset: str = "", ask: Ask | None = None
    ) -> None:
        """Show ``values`` of the preset ``preset``; use ``ask`` instead of an advisor."""
        super().__init__()
        self._advisor = Advisor()
        self._asked_instead = ask
        ask = ask or self._advisor.ask
        self._form = DraftForm(Draft(values, preset), ask)
        self._preview = DataPreview(ask)
        self._estimate = EstimateBar(ask)
        self._command = CommandBar()
        self._launcher = Launcher(self)
        self._left_at = DOMAIN.name

    def compose(self) -> ComposeResult:
        """Yield the form beside the data, above what is known of the run."""
        with Horizontal(id="top"):
            yield SectionTabs(len(HEADINGS))
            yield Static(id="origin")
        with Horizontal(id="body"):
            yield self._form
            yield self._preview
        with Vertical(id="foot"):
            yield FieldHelp()
            yield self._estimate
            yield self._command
        yield SteadyFooter()

    async def on_mount(self) -> None:
        """Show the draft."""
        await self._form.show_draft()
        self._form.go_to_section(0)

    def on_unmount(self) -> None:
        """Discard pending requests."""
        self._advisor.close()

    @property
    def unsaved(self) -> bool:
        """Whether there are changes that no preset holds."""
        return bool(self._form.draft.changes)

    @on(DraftForm.Changed)
    def _show(self, event: DraftForm.Changed) -> None:
        """Update everything around the form from the draft."""
        draft = self._form.draft
        self.query_one(SectionTabs).show(event.views)
        self.query_one("#origin", Static).update(_origin(draft), layout=False)
        config = self._form.config
        values = config.values() if config else None
        self._estimate.show(values)
        self._preview.show(values, _first(draft.values.checked.problems))
        self._command.show(config, draft.preset)
        self._show_help()

    @on(events.DescendantFocus)
    def _show_help(self) -> None:
        """Show the help of the focused field."""
        row = self._form.current
        self.query_one(FieldHelp).show(row.view if row else None)
        if row:
            self.query_one(SectionTabs).mark(heading_of(row.view.spec.name))

    @on(SectionTab.Chosen)
    def _section_chosen(self, event: SectionTab.Chosen) -> None:
        self.action_section(event.index + 1)

    @on(DataPreview.Columns)
    async def _columns_known(self, event: DataPreview.Columns) -> None:
        await self._form.show_columns(event.columns)

    @on(DataPreview.TypesWanted)
    async def _types_wanted(self) -> None:
        await self._form.set_column_types()

    @on(DataPreview.ImagesWanted)
    def _images_wanted(self) -> None:
        self._form.show_images(self._asked_instead or self._advisor.ask)

    @on(DataPreview.CheckWanted)
    def _check_wanted(self) -> None:
        self._form.check_data(self._asked_instead)

    def action_section(self, number: int) -> None:
        """Focus a section."""
        self.remove_class("-data")
        self._form.go_to_section(number - 1)

    async def action_advanced(self) -> None:
        """Show or hide the advanced fields."""
        await self._form.toggle_advanced()

    def action_data(self) -> None:
        """Focus the data, or the form again."""
        if self._preview.has_focus:
            self.remove_class("-data")
            self._form.go_to(self._left_at)
        else:
            self._left_at = self._form.current_name or DOMAIN.name
            self.add_class("-data")
            self._preview.focus()

    def action_explain(self) -> None:
        """Show the full help of the field."""
        row = self._form.current
        if row is not None:
            self.app.push_screen(ReadScreen(row.view.spec.name, explanation(row.view)))

    def action_copy(self) -> None:
        """Show and copy the command line of this run."""
        if self._form.config is None:
            self._form.point_at_problem()
        elif not self._command.copy():
            tell(self, "There is no preset from which a command could start; save this one first.")

    def action_save(self) -> None:
        """Save the experiment as a preset."""

        async def saved(preset: Preset | None) -> None:
            if preset is not None:
                self._form.draft.saved_as(preset.name)
                self._command.read_presets()
                await self._form.show_draft()
                tell(self, f"Saved as {preset.name}.")

        config = self._form.config
        if config is None:
            self._form.point_at_problem()
        else:
            self.app.push_screen(make_screen("save preset", config), saved)

    def action_load(self) -> None:
        """Load a preset."""

        def chosen(preset: Preset | None) -> None:
            if preset is not None:
                load = partial(self._form.load, preset)
                unless_unsaved(self, len(self._form.draft.changes), f"load {preset.name}", load)

        self.app.push_screen(make_screen("presets"), chosen)

    def action_leave(self) -> None:
        """Return from the data to the form, or close the screen."""

        def leave() -> None:
            self.dismiss()

        if self._preview.has_focus:
            self.action_data()
        elif not self._launcher.busy:
            unless_unsaved(self, len(self._form.draft.changes), "leave", leave)

    def action_start(self, later: bool = False) -> None:
        """Start the run, now or ``later``; confirm first when its data cannot be used."""
        config = self._form.config
        problem = self._preview.problem
        if config is None:
            self._form.point_at_problem()
        elif problem:
            self.app.push_screen(
                ConfirmScreen(f"{problem} Start all the same?"),
                lambda yes: self._launcher.start(config, later) if yes else None,
            )
        else:
            self._launcher.start(config, later)

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the start while one is in progress."""
        del parameters
        return None if action == "start" and self._launcher.busy else True


def _first(problems: Mapping[str, str]) -> str:
    """Return the first field that is wrong, with what is wrong with it."""
    return next((f"{name}: {text}" for name, text in problems.items()), "")


def _origin(draft: Draft) -> Content:
    """Return the name of the draft's preset and the number of changes, or a stray error."""
    stray = draft.values.stray_problems
    if stray:
        return literal(stray[0]).stylize("$text-error")
    count = len(draft.changes)
    changed = f"{count} changed *" if count else ""
    return literal(" ".join([draft.preset, changed]).strip())
