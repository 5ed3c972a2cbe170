"""The form of a new run: domain, task, data, model, training; its cost; start."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static
from typing_extensions import override

from engine.config.overrides import Tree
from engine.config.presets import Preset, load_preset, usable_presets
from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.launch.start import launch
from engine.queue import entries
from engine.runs.directory import RunDirectory
from engine.service.client import Advisor
from tui.format.text import literal
from tui.screens.dialogs.base import ReadScreen
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.new_run.command_line import command_line
from tui.screens.new_run.draft import Draft
from tui.screens.new_run.sections import DOMAIN, HEADINGS, heading_of, sections_of
from tui.screens.registry import make_screen
from tui.terminal.capabilities import abilities
from tui.widgets.estimate import EstimateBar
from tui.widgets.form.form import Form
from tui.widgets.form.help import FieldHelp, explanation
from tui.widgets.form.row import FieldRow
from tui.widgets.notify import complain, tell
from tui.widgets.preview import DataPreview
from tui.widgets.question import Ask
from tui.widgets.section_tabs import SectionTab, SectionTabs
from tui.widgets.steady_footer import SteadyFooter

_LONGEST_COMMAND = 20_000


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
        Binding("c", "copy", "Command", tooltip="Show and copy the command line for this run"),
        Binding("i,f1", "explain", "About the field", show=False),
        Binding("escape,q", "leave", "Back"),
    ]

    # Textual repaints the whole screen whenever the focus moves: here with each key.
    focused: Reactive[Widget | None] = Reactive(None, repaint=False)

    @dataclass
    class Started(Message):
        """The worker of the run has started."""

        run: RunDirectory

    @dataclass
    class Queued(Message):
        """The run is in the queue, with or without a worker."""

        run: RunDirectory
        worked_off: bool

    @dataclass
    class StartFailed(Message):
        """The run could not be started."""

        error: UserError

    @dataclass
    class PresetsRead(Message):
        """The presets that a command line can use."""

        presets: Mapping[str, RunConfig]

    def __init__(
        self, values: Tree | None = None, preset: str = "", ask: Ask | None = None
    ) -> None:
        """Show ``values`` of the preset ``preset``; use ``ask`` instead of an advisor."""
        super().__init__()
        self._draft = Draft(values, preset)
        self._advisor = Advisor()
        self._ask: Ask = ask or self._advisor.ask
        self._advanced = False
        self._columns: Mapping[str, str] = {}
        self._presets: Mapping[str, RunConfig] = {}
        self._starting = False
        self._left_at = DOMAIN.name

    def compose(self) -> ComposeResult:
        """Yield the form beside the data, above what is known of the run."""
        with Horizontal(id="top"):
            yield SectionTabs(len(HEADINGS))
            yield Static(id="origin")
        with Horizontal(id="body"):
            yield Form(len(HEADINGS))
            yield DataPreview(self._ask)
        with Vertical(id="foot"):
            yield FieldHelp()
            yield EstimateBar(self._ask)
            yield Static(id="command")
        yield SteadyFooter()

    async def on_mount(self) -> None:
        """Show the draft, and read the presets in a thread."""
        self._read_presets()
        await self._show()
        self.query_one(Form).go_to_section(0)

    def on_unmount(self) -> None:
        """Discard pending requests, as no one waits for the answers."""
        self._advisor.close()

    @property
    def unsaved(self) -> bool:
        """Whether there are changes that no preset holds."""
        return bool(self._draft.changes)

    async def _show(self) -> None:
        """Update the whole screen from the draft."""
        form = self.query_one(Form)
        current = form.current.view.spec.name if form.current else ""
        views = sections_of(self._draft, self._advanced, self._columns, current)
        await form.show(views)
        self.query_one(SectionTabs).show(views)
        self.query_one("#origin", Static).update(self._origin(), layout=False)
        config = self._draft.checked.config
        values = config.values() if config else None
        self.query_one(EstimateBar).show(values)
        self.query_one(DataPreview).show(values)
        self._show_command()
        self._show_help()

    def _origin(self) -> Content:
        stray = self._draft.stray_problems
        if stray:
            return literal(stray[0]).stylize("$text-error")
        count = len(self._draft.changes)
        changed = f"{count} changed *" if count else ""
        return literal(" ".join([self._draft.preset, changed]).strip())

    def _show_command(self) -> None:
        line = self._command() or "…"
        self.query_one("#command", Static).update(literal(f"$ {line}", 1000), layout=False)

    def _command(self) -> str:
        config = self._draft.checked.config
        return command_line(config, self._presets, self._draft.preset) if config else ""

    def _show_help(self) -> None:
        row = self.query_one(Form).current
        self.query_one(FieldHelp).show(row.view if row else None)
        if row:
            self.query_one(SectionTabs).mark(heading_of(row.view.spec.name))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Show the help of the focused field."""
        del event
        self._show_help()

    @on(FieldRow.Edited)
    async def _edited(self, event: FieldRow.Edited) -> None:
        if event.name == DOMAIN.name:
            self._draft.set_domain(event.text)
        else:
            self._draft.set(event.name, event.text)
        await self._show()

    @on(FieldRow.Reset)
    async def _reset(self, event: FieldRow.Reset) -> None:
        if event.name != DOMAIN.name:
            self._draft.reset(event.name)
            await self._show()

    @on(FieldRow.LayersWanted)
    def _layers_wanted(self, event: FieldRow.LayersWanted) -> None:
        async def chosen(text: str | None) -> None:
            if text is not None:
                await self._edited(FieldRow.Edited(event.name, text))

        self.app.push_screen(make_screen("targets", self._draft, self._ask), chosen)

    @on(SectionTab.Chosen)
    def _section_chosen(self, event: SectionTab.Chosen) -> None:
        self.action_section(event.index + 1)

    @on(DataPreview.Columns)
    async def _columns_known(self, event: DataPreview.Columns) -> None:
        self._columns = event.columns
        await self._show()

    def action_section(self, number: int) -> None:
        """Focus a section."""
        self.remove_class("-data")
        self.query_one(Form).go_to_section(number - 1)

    async def action_advanced(self) -> None:
        """Show or hide the advanced fields."""
        self._advanced = not self._advanced
        await self._show()

    def action_data(self) -> None:
        """Focus the data, or the form again."""
        preview, form = self.query_one(DataPreview), self.query_one(Form)
        if preview.has_focus:
            self.remove_class("-data")
            form.go_to(self._left_at)
        else:
            self._left_at = form.current.view.spec.name if form.current else DOMAIN.name
            self.add_class("-data")
            preview.focus()

    def action_explain(self) -> None:
        """Show the full help of the field."""
        row = self.query_one(Form).current
        if row is not None:
            self.app.push_screen(ReadScreen(row.view.spec.name, explanation(row.view)))

    def action_copy(self) -> None:
        """Copy the command line of this run; show it as well, as not every terminal copies."""
        line = self._command()
        if line:
            self.app.copy_to_clipboard(line)
            copied = literal(f"Copied. Does it reach the clipboard? {_clipboard()}.")
            lines = [literal(line, _LONGEST_COMMAND), Content(""), copied.stylize("$text-muted")]
            self.app.push_screen(ReadScreen("The command for this run", lines))
        else:
            self._point_at_problem()

    def action_save(self) -> None:
        """Save the experiment as a preset."""
        config = self._draft.checked.config
        if config is None:
            self._point_at_problem()
        else:
            self.app.push_screen(make_screen("save preset", config), self._saved)

    async def _saved(self, preset: Preset | None) -> None:
        if preset is not None:
            self._draft.saved_as(preset.name)
            self._read_presets()
            await self._show()
            tell(self, f"Saved as {preset.name}.")

    def action_load(self) -> None:
        """Load a preset."""
        self.app.push_screen(make_screen("presets"), self._chosen)

    def _chosen(self, preset: Preset | None) -> None:
        if preset is not None:
            self._unless_unsaved(partial(self._load, preset), f"load {preset.name}")

    async def _load(self, preset: Preset) -> None:
        try:
            values = load_preset(preset).values()
        except UserError as error:
            complain(self, error)
            return
        self._draft = Draft(values, preset.name)
        await self._show()

    def action_leave(self) -> None:
        """Return from the data to the form, or close the screen."""
        if self.query_one(DataPreview).has_focus:
            self.action_data()
        elif not self._starting:
            self._unless_unsaved(self._leave, "leave")

    def _leave(self) -> None:
        self.dismiss()

    def _unless_unsaved(self, then: Callable[[], object], what: str) -> None:
        """Call ``then``, which loses the draft; confirm first if there are unsaved changes."""

        def answered(yes: bool | None) -> None:
            if yes:
                self.call_next(then)

        if not self.unsaved:
            answered(True)
            return
        count = len(self._draft.changes)
        lost = "1 change is" if count == 1 else f"{count} changes are"
        question = f"{lost} not saved. {what.capitalize()} and lose them?"
        self.app.push_screen(ConfirmScreen(question), answered)

    def action_start(self, later: bool = False) -> None:
        """Start the run, now or ``later``; confirm first when its data cannot be used."""
        config = self._draft.checked.config
        problem = self.query_one(DataPreview).problem
        if config is None:
            self._point_at_problem()
        elif problem:
            self.app.push_screen(
                ConfirmScreen(f"{problem} Start all the same?"),
                lambda yes: self._start(config, later) if yes else None,
            )
        else:
            self._start(config, later)

    def _point_at_problem(self) -> None:
        problems = self._draft.checked.problems
        for name, text in problems.items():
            self.query_one(Form).go_to(name)
            complain(self, UserError(f"{name}: {text}"))
            return
        tell(self, "There is no preset from which a command could start; save this one first.")

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the start while one is in progress."""
        del parameters
        return None if action == "start" and self._starting else True

    def _start(self, config: RunConfig, later: bool) -> None:
        self._starting = True
        self.refresh_bindings()
        self._launch(config, later)

    @work(thread=True, group="launch", exit_on_error=False)
    def _launch(self, config: RunConfig, later: bool) -> None:
        try:
            if later:
                self.post_message(self.Queued(entries.add(config), entries.running()))
            else:
                self.post_message(self.Started(launch(config).run))
        except UserError as error:
            self.post_message(self.StartFailed(error))

    @on(Started)
    def _started(self, event: Started) -> None:
        self.app.switch_screen(make_screen("monitor", event.run))

    @on(Queued)
    def _queued(self, event: Queued) -> None:
        rest = "" if event.worked_off else " Nothing starts before `dltui queue start`."
        tell(self, f"{event.run.id} waits in the queue.{rest}")
        self.dismiss()

    @on(StartFailed)
    def _start_failed(self, event: StartFailed) -> None:
        self._starting = False
        self.refresh_bindings()
        complain(self, event.error)

    @work(thread=True, group="presets", exit_on_error=False)
    def _read_presets(self) -> None:
        self.post_message(self.PresetsRead(usable_presets()))

    @on(PresetsRead)
    def _presets_read(self, event: PresetsRead) -> None:
        self._presets = event.presets
        self._show_command()


def _clipboard() -> str:
    text = abilities(os.environ).clipboard
    return text[:1].upper() + text[1:]
