"""The form of a new run: domain, task, data, model, training; its cost; start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from engine.errors import UserError
from engine.launch.measure import measure_speed
from engine.service.client import Advisor
from tui.format.text import literal
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.new_run.body import DraftBody
from tui.screens.new_run.command_bar import CommandBar
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.draft_form import DraftForm
from tui.screens.new_run.launcher import Launcher
from tui.screens.new_run.presets import DraftPresets
from tui.screens.new_run.sections import HEADINGS, heading_of
from tui.screens.new_run.unsaved import unless_unsaved
from tui.widgets.estimate import EstimateBar, Measure
from tui.widgets.form.help import FieldHelp
from tui.widgets.notify import complain
from tui.widgets.preview import DataPreview
from tui.widgets.question import Ask
from tui.widgets.section_tabs import SectionTab, SectionTabs
from tui.widgets.steady_footer import SteadyFooter

_BESIDE = 120
"""Columns from which on the data is shown beside the form."""


class NewRunScreen(Screen[None]):
    """Shows a draft, which holds the whole state of the experiment."""

    CSS_PATH = "new_run.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (_BESIDE, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(number), f"section({number})", f"Go to {heading.title}", show=False)
            for number, heading in enumerate(HEADINGS, 1)
        ),
        Binding("ctrl+r", "start", "Start"),
        Binding("ctrl+l", "start(True)", "Start later, after those in the queue", show=False),
        Binding("ctrl+s", "do('save')", "Save"),
        Binding("ctrl+o", "do('load')", "Load"),
        Binding("a", "advanced", "More"),
        Binding("p", "do('data')", "Data"),
        Binding(
            "dollar_sign",
            "do('copy')",
            "Command",
            key_display="$",
            tooltip="Show and copy the command line for this run",
        ),
        Binding("equals_sign", "do('measure')", "Measure the time", show=False),
        Binding("i,f1", "do('explain')", "About the field", show=False),
        Binding("escape,q", "do('leave')", "Back"),
    ]

    # Textual repaints the whole screen whenever the focus moves: here with each key.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    def __init__(
        self,
        values: Tree | None = None,
        preset: str = "",
        ask: Ask | None = None,
        failure: str = "",
        measure: Measure = measure_speed,
    ) -> None:
        """Show ``values`` of the preset ``preset``; use ``ask`` instead of an advisor.

        ``failure`` is the error message of the run that has these values, if it failed.
        """
        super().__init__()
        self._advisor = Advisor()
        answer = ask or self._advisor.ask
        self._form = DraftForm(Draft(values, preset))
        self._preview = DataPreview(answer)
        self._body = DraftBody(self._form, self._preview, answer, ask, id="body")
        self._estimate = EstimateBar(answer, measure, self._form.show_settled)
        self._command = CommandBar()
        self._launcher = Launcher(self, self._form.refuse)
        presets = DraftPresets(self, self._form, self._command.read_presets)
        self._actions: Mapping[str, Callable[[], object]] = {
            "measure": self._estimate.measure,
            "save": presets.save,
            "load": presets.load,
            "explain": self._form.explain,
            "data": self._body.switch,
            "copy": self._copy,
            "leave": self._leave,
        }
        self._failure = failure

    def compose(self) -> ComposeResult:
        """Yield the form beside the data, above what is known of the run."""
        # Textual sets these classes after the first frame, and then computes all styles anew.
        narrow = self.app.size.width < _BESIDE
        self.set_class(narrow, "-narrow").set_class(not narrow, "-wide")
        with Horizontal(id="top"):
            yield SectionTabs(len(HEADINGS))
            yield Static(id="origin")
        yield self._body
        with Vertical(id="foot"):
            yield FieldHelp()
            yield self._estimate
            yield self._command
        yield SteadyFooter()

    async def on_mount(self) -> None:
        """Show the draft."""
        wrong = self._form.draft.blame(self._failure) if self._failure else ""
        await self._form.show_draft()
        self._form.go_to_section(0)
        if wrong:
            self._form.go_to(wrong)
        elif self._failure:
            complain(self, UserError(f"The run failed: {self._failure}"))

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
        self._preview.show(values, _first(draft.values.checked.problems))
        self._estimate.show(config, self._preview.rows)
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

    def action_section(self, number: int) -> None:
        """Focus a section."""
        self._body.go_to_section(number - 1)

    async def action_advanced(self) -> None:
        """Show or hide the advanced fields."""
        await self._form.toggle_advanced()

    def action_do(self, name: str) -> None:
        """Measure, save or load a preset, explain a field, show command or data, or leave."""
        self._actions[name]()

    async def action_start(self, later: bool = False) -> None:
        """Start the run, now or ``later``, unless its data cannot be used.

        Confirm first where that is not known.
        """
        config = self._form.config
        problem = self._preview.problem
        if config is None:
            self._form.point_at_problem()
        elif self._preview.refused:
            await self._form.refuse(UserError(problem))
            self._preview.read_again(config.values())
        elif problem:
            self.app.push_screen(
                ConfirmScreen(f"{problem} Start all the same?"),
                lambda yes: self._launcher.start(config, later) if yes else None,
            )
        else:
            self._launcher.start(config, later)

    def _copy(self) -> None:
        """Show and copy the command line of this run."""
        if self._form.config is None:
            self._form.point_at_problem()
        else:
            self._command.copy()

    def _leave(self) -> None:
        """Return from the data to the form, or close the screen."""

        def leave() -> None:
            self.dismiss()

        if self._body.at_data:
            self._body.switch()
        elif not self._launcher.busy:
            unless_unsaved(self, len(self._form.draft.changes), "leave", leave)

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
