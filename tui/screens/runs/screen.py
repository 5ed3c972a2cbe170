"""The home screen: the history of runs, updated live."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Static
from typing_extensions import override

from engine.config.overrides import Tree
from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.runs import control
from engine.runs.annotations import Annotations, write_annotations
from engine.runs.control import Request
from engine.runs.directory import RunDirectory
from engine.runs.filter import RunFilter
from engine.runs.listing import RunSummary
from engine.runs.status import State
from engine.runs.trash import discard
from tui.charts.canvas import Canvas
from tui.charts.chart import MOST_SERIES
from tui.format.run_states import RESUMABLE
from tui.format.text import literal
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.registry import make_screen
from tui.screens.runs.poller import Reading
from tui.screens.runs.rows import COLUMNS, STARTED, cells, detail, ordered, when
from tui.widgets.listing import Listing
from tui.widgets.notify import complain, tell
from tui.widgets.plain_input import PlainInput
from tui.widgets.steady_footer import SteadyFooter

_EMPTY = """\
There are no runs yet.

Press  n  to choose data, a model and how to train it,
or  P  to start from a ready experiment."""


class RunsScreen(Screen[None]):
    """All runs, the newest first."""

    CSS_PATH = "runs.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New"),
        Binding("P", "presets", "Presets"),
        Binding("enter", "open", "Open", show=False),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("o", "sort(1)", "Sort", show=False),
        Binding("O", "reverse", "Reverse the order", show=False),
        Binding("space", "select", "Select", show=False),
        Binding("a", "select_all", "Select all", show=False),
        Binding("C", "compare", "Compare"),
        Binding("p", "pin", "Pin"),
        Binding("e", "annotate", "Tags and note", show=False),
        Binding("s", "stop", "Stop"),
        Binding("r", "resume", "Resume", show=False),
        Binding("c", "clone", "Clone"),
        Binding("S", "save_preset", "Save as preset", show=False),
        Binding("t", "try_it", "Try", show=False),
        Binding("d,delete", "delete", "Delete", show=False),
        Binding("T", "trash", "Trash", show=False),
        Binding("A", "adapters", "Adapters", show=False),
        Binding("w", "sweeps", "Sweeps", show=False),
        Binding("escape", "show_all", "Show all"),
        Binding("escape", "clear", "Clear selection and filter", show=False),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._reading = Reading(runs_folder())
        self._all: Sequence[RunSummary] = ()
        self.going_on = 0
        """Number of runs that are training now."""
        self._sorted: Sequence[RunSummary] = ()
        self._order = (STARTED, True)
        self._filter = RunFilter()
        self._problem = ""
        self._selected: set[str] = set()

    def compose(self) -> ComposeResult:
        """Yield a heading, the list or a message that it is empty, and the filter."""
        yield Canvas(id="heading")
        yield Listing(COLUMNS, cells(self._selected), lambda row: row.id, id="runs")
        yield Static(_EMPTY, id="empty", markup=False)
        yield Canvas(id="detail")
        yield PlainInput(
            placeholder="words, task:image, state:running, tag:…, accuracy>0.9", id="filter"
        )
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Start to read in a thread."""
        listing = self.query_one(Listing)
        listing.show_order(*self._order)
        listing.focus()
        self._show_heading(0)
        self.run_worker(self._follow, thread=True, group="history")

    def on_unmount(self) -> None:
        """Stop the thread at once."""
        self._reading.end()

    def on_screen_suspend(self) -> None:
        """Pause reading while another screen is on top."""
        self._reading.pause()

    def on_screen_resume(self) -> None:
        """Read while the list is visible."""
        self._reading.go_on()

    def open_run(self, run: RunDirectory) -> None:
        """Open a run's results, or its monitor while it is running."""
        if run.status.state().ended and run.report.path.exists():
            self.app.push_screen(make_screen("results", run))
        else:
            self.app.push_screen(make_screen("monitor", run))

    def action_new(self, values: Tree | None = None, preset: str = "") -> None:
        """Create a new run; ``preset`` is the name of the origin of ``values``."""
        self.app.push_screen(make_screen("new run", values, preset))

    def action_presets(self) -> None:
        """Choose a preset and create a new run from it."""
        from engine.config.presets import Preset, load_preset

        def chosen(preset: Preset | None) -> None:
            if preset is None:
                return
            try:
                self.action_new(load_preset(preset).values(), preset.name)
            except UserError as error:
                complain(self, error)

        self.app.push_screen(make_screen("presets"), chosen)

    def action_open(self) -> None:
        """Open the run at the cursor."""
        if row := self._current():
            self.open_run(row.run)

    def action_clone(self) -> None:
        """Create a new run with this run's configuration."""
        if row := self._current():
            try:
                self.action_new(row.run.config.read().values())
            except UserError as error:
                complain(self, error)

    def action_adapters(self) -> None:
        """Open the list of all adapters on this machine."""
        self.app.push_screen(make_screen("adapters"))

    def action_sweeps(self) -> None:
        """Open the list of hyperparameter sweeps."""
        self.app.push_screen(make_screen("sweeps"))

    def action_try_it(self) -> None:
        """Try the run's model on new inputs."""
        row = self._current()
        if row is None:
            return
        if not row.state.ended or not row.run.model.exists():
            tell(self, f"{row.name} has no finished model.")
            return
        self.app.push_screen(make_screen("try it", row.run))

    def action_stop(self) -> None:
        """Ask the run to stop."""
        row = self._current()
        if row is None:
            return
        if row.state.ended:
            tell(self, f"{row.name} has ended.")
            return
        self._confirmed(
            f"Stop {row.name}? Its model is kept as it is now.",
            lambda: row.run.requests.send(Request(control.STOP)),
            "Asked to stop.",
        )

    def action_resume(self) -> None:
        """Resume a run from its last checkpoint."""
        row = self._current()
        if row is None:
            return
        if row.state not in RESUMABLE:
            tell(self, f"A run that is {row.state} cannot be resumed.")
            return
        from engine.launch.start import start

        self._do(lambda: start(row.run), f"{row.name} was resumed.")

    def action_delete(self) -> None:
        """Move runs to the trash."""
        rows = self._chosen()
        if not rows:
            return
        question = f"Put {_names(rows)} into the trash?"
        self._confirmed(
            question, lambda: [discard(row.run) for row in rows], "In the trash; T shows it."
        )

    def action_trash(self) -> None:
        """Open the trash."""
        self.app.push_screen(make_screen("trash"))

    def action_select(self) -> None:
        """Select or deselect the run, and move to the next."""
        if row := self._current():
            self._selected ^= {row.id}
            self._show_selection()
            self.query_one(Listing).action_move(1)

    def action_select_all(self) -> None:
        """Select all visible runs, or none where all were selected."""
        shown = {row.id for row in self.query_one(Listing).items}
        chosen = set() if shown <= self._selected else shown
        self._selected.clear()
        self._selected |= chosen
        self._show_selection()

    def action_compare(self) -> None:
        """Compare the selected runs."""
        rows = self._chosen()
        if len(rows) < 2:
            tell(self, "Select at least two runs with space, then compare them.")
        elif len(rows) > MOST_SERIES:
            tell(
                self,
                f"Up to {MOST_SERIES} runs can be told apart at once; {len(rows)} are selected.",
            )
        else:
            self.app.push_screen(make_screen("compare", [row.run for row in rows]))

    def action_pin(self) -> None:
        """Pin or unpin runs."""
        rows = self._chosen()
        pinned = not all(row.notes.pinned for row in rows)
        self._note(rows, lambda notes: replace(notes, pinned=pinned))

    def action_annotate(self) -> None:
        """Edit tags and note."""
        from tui.screens.runs.annotate import AnnotateScreen, Change

        rows = self._chosen()

        def answered(change: Change | None) -> None:
            if change is not None:
                self._note(rows, change)

        if rows:
            self.app.push_screen(AnnotateScreen([row.notes for row in rows]), answered)

    def action_save_preset(self) -> None:
        """Save the experiment of the run as a preset."""
        if row := self._current():
            try:
                config = row.run.config.read()
            except UserError as error:
                complain(self, error)
            else:
                self.app.push_screen(
                    make_screen("save preset", config),
                    lambda preset: tell(self, f"Saved as {preset.name}.") if preset else None,
                )

    def action_sort(self, step: int) -> None:
        """Sort by the next column."""
        self._sort_by((self._order[0] + step) % len(COLUMNS))

    def action_reverse(self) -> None:
        """Reverse the sort order."""
        self._sort_by(self._order[0])

    def on_listing_heading_clicked(self, event: Listing.HeadingClicked) -> None:
        """Sort by the column; a second click reverses the order."""
        self._sort_by(event.column)

    def on_listing_cell_clicked(self, event: Listing.CellClicked) -> None:
        """Select the row, if its first cell was clicked."""
        if event.column == 0 and (row := self._current()):
            self._selected ^= {row.id}
            self._show_selection()

    def on_listing_moved(self) -> None:
        """Show the details of the run at the cursor."""
        self._show_detail()

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action applies: some only while the filter is typed, some only else."""
        del parameters
        typing = isinstance(self.focused, Input)
        return {"show_all": typing, "filter": not typing}.get(action, True)

    def action_filter(self) -> None:
        """Focus the filter."""
        box = self.query_one("#filter", Input)
        box.display = True
        box.focus()

    def action_clear(self) -> None:
        """Deselect all; where none was selected, clear the filter."""
        if self._selected:
            self._selected.clear()
            self._show_selection()
        else:
            self.action_show_all()

    def action_show_all(self) -> None:
        """Clear the filter."""
        box = self.query_one("#filter", Input)
        box.value = ""
        box.display = False
        self.query_one(Listing).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while typing."""
        self._filter, self._problem = RunFilter.typed(event.value)
        self._show()

    def on_input_submitted(self) -> None:
        """Focus the rows; the filter stays."""
        self.query_one(Listing).focus()

    def on_key(self, event: events.Key) -> None:
        """Move from the filter to the rows."""
        if event.key == "down" and isinstance(self.focused, Input):
            self.query_one(Listing).focus()

    def on_listing_selected(self) -> None:
        """Open the run on enter or a second click."""
        self.action_open()

    def _current(self) -> RunSummary | None:
        row: RunSummary | None = self.query_one(Listing).current
        return row

    def _chosen(self) -> list[RunSummary]:
        """Return the selected runs; the one at the cursor if there are none."""
        if self._selected:
            return [row for row in self._sorted if row.id in self._selected]
        return [row for row in [self._current()] if row is not None]

    def _note(
        self, rows: Sequence[RunSummary], change: Callable[[Annotations], Annotations]
    ) -> None:
        def write() -> None:
            for row in rows:
                write_annotations(row.run, change(row.notes))

        self._do(write, "")

    def _confirmed(self, question: str, action: Callable[[], object], done: str) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._do(action, done)

        self.app.push_screen(ConfirmScreen(question), answered)

    def _do(self, action: Callable[[], object], done: str) -> None:
        """Run ``action`` in a thread, since files may be slow; show its result."""

        def work() -> None:
            try:
                action()
            except (UserError, OSError) as error:
                self.app.call_from_thread(complain, self, error)
            else:
                if done:
                    self.app.call_from_thread(tell, self, done)
            self._reading.hurry()

        self.run_worker(work, thread=True, group="actions")

    def _follow(self) -> None:
        """Poll the history in a thread."""
        try:
            self._reading.follow(partial(self.app.call_from_thread, self._take))
        except UserError as error:
            self.app.call_from_thread(complain, self, error)

    def _take(self, rows: Sequence[RunSummary]) -> None:
        self._all = rows
        self.going_on = sum(1 for row in rows if row.state is State.RUNNING)
        self._selected &= {row.id for row in rows}
        self._sorted = ordered(rows, *self._order)
        self._show()
        self.call_after_refresh(self._reading.painted)

    def _sort_by(self, column: int) -> None:
        """Sort by a column: numbers and times from the largest, texts from the first letter."""
        same = column == self._order[0]
        descending = not self._order[1] if same else COLUMNS[column].right or column == STARTED
        self._order = column, descending
        self._sorted = ordered(self._all, *self._order)
        self.query_one(Listing).show_order(*self._order)
        self._show()

    def _show(self) -> None:
        rows = self._filter.among(self._sorted)
        listing = self.query_one(Listing)
        listing.set_items(rows)
        listing.display = bool(self._all) or not self._reading.complete
        self.query_one("#empty").display = self._reading.complete and not self._all
        self._show_heading(len(rows))
        self._show_detail()

    def _show_selection(self) -> None:
        listing = self.query_one(Listing)
        listing.refresh_rows()
        self._show_heading(len(listing.items))

    def _show_detail(self) -> None:
        self.query_one("#detail", Canvas).show([detail(self._current())])

    def _show_heading(self, shown: int) -> None:
        total, going_on = len(self._all), self.going_on
        runs = f"{total:,} run{'s' * (total != 1)}"
        parts = ["dltui", runs if shown == total else f"{shown:,} of {runs}"]
        parts += [f"{going_on} running"] if going_on else []
        parts += [f"{len(self._selected):,} selected"] if self._selected else []
        heading = Content("   ".join(parts))
        if self._problem:
            heading += literal(f"   {self._problem}").stylize("$text-error")
        self.query_one("#heading", Canvas).show([heading])


def _names(rows: Sequence[RunSummary]) -> str:
    if len(rows) > 1:
        return f"{len(rows)} runs"
    return f"{rows[0].name} of {when(rows[0].started)}"
