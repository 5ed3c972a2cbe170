"""The home screen: the history of runs, updated live."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input, Static
from typing_extensions import override

from engine.files.paths import runs_folder
from engine.runs.summary import RunSummary
from tui.charts.canvas import Canvas
from tui.screens.registry import make_screen
from tui.screens.run_keys import RUN_KEYS
from tui.screens.runs.changes import RunChanges
from tui.screens.runs.list_reader import RunListReader
from tui.screens.runs.openings import Openings
from tui.screens.runs.rows import detail
from tui.screens.runs.run_filter import RunFilter
from tui.screens.runs.run_listing import RunListing
from tui.widgets.listing import Listing
from tui.widgets.run_feed import RunFeed
from tui.widgets.steady_footer import SteadyFooter

REFRESH_SECONDS = 1.0
_REST = 5.0
"""A list that takes long to read is read again after this multiple of the time."""
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
        Binding("enter", "run('open')", "Open", show=False),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("o", "sort(1)", "Sort", show=False),
        Binding("O", "sort(0)", "Reverse the order", show=False),
        Binding("space", "select", "Select", show=False),
        Binding("a", "select_all", "Select all", show=False),
        Binding("C", "runs('compare')", "Compare"),
        Binding("p", "runs('pin')", "Pin"),
        Binding("e", "runs('annotate')", "Tags and note", show=False),
        Binding("s", "run('stop')", "Stop"),
        Binding("r", "run('resume')", "Resume", show=False),
        Binding("c", "run('clone')", "Clone"),
        Binding("S", "run('save_preset')", "Save as preset", show=False),
        Binding("t", "runs('try_it')", "Try", show=False),
        Binding("d,delete", "runs('delete')", "Delete", show=False),
        Binding("T", "show('trash')", "Trash", show=False),
        Binding("A", "show('adapters')", "Adapters", show=False),
        Binding("w", "show('sweeps')", "Sweeps", show=False),
        *RUN_KEYS,
        Binding("escape", "show_all", "Show all"),
        Binding("escape", "clear", "Clear selection and filter", show=False),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._listing = RunListing(id="runs")
        self._filter = RunFilter(self._listing, id="filter")
        reader = RunListReader(runs_folder())
        self._feed = RunFeed(self, reader.read, REFRESH_SECONDS, self._listing.take, rest=_REST)
        self._openings = Openings(self)
        changes = RunChanges(self, self._feed.wake)
        self._of_current: Mapping[str, Callable[[RunSummary], None]] = {
            "open": self._openings.open,
            "clone": self._openings.clone,
            "save_preset": self._openings.save_preset,
            "stop": changes.stop,
            "resume": changes.resume,
        }
        """The actions on the run at the cursor."""
        self._of_chosen: Mapping[str, Callable[[Sequence[RunSummary]], None]] = {
            "compare": self._openings.compare,
            "try_it": self._openings.try_it,
            "pin": changes.pin,
            "annotate": changes.annotate,
            "delete": changes.delete,
        }
        """The actions on the selected runs."""

    @property
    def running(self) -> int:
        """Number of runs that are training now."""
        return self._listing.rows.running

    def compose(self) -> ComposeResult:
        """Yield a heading, the list or a message that it is empty, and the filter."""
        yield Canvas(id="heading")
        yield self._listing
        yield Static(_EMPTY, id="empty", markup=False)
        yield Canvas(id="detail")
        yield self._filter
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Show the list, empty until it is read."""
        self._listing.focus()
        self._show_numbers()

    def on_unmount(self) -> None:
        """Stop the thread at once."""
        self._feed.end()

    def on_screen_suspend(self) -> None:
        """Pause reading while another screen is on top."""
        self._feed.pause()

    def on_screen_resume(self) -> None:
        """Read while the list is visible."""
        self._feed.poll()

    def action_new(self) -> None:
        """Create a new run."""
        self._openings.new()

    def action_presets(self) -> None:
        """Choose a preset and create a new run from it."""
        self._openings.presets()

    def action_show(self, name: str) -> None:
        """Open the trash, the adapters or the sweeps."""
        self.app.push_screen(make_screen(name))

    def action_run(self, name: str) -> None:
        """Do something with the run at the cursor."""
        if (row := self._listing.current) is not None:
            self._of_current[name](row)

    def action_runs(self, name: str) -> None:
        """Do something with the selected runs; with the one at the cursor if there are none."""
        self._of_chosen[name](self._listing.chosen)

    def action_of_run(self, action: str) -> None:
        """Export the model of the run at the cursor, save its predictions, and the like."""
        from tui.screens.run_actions import RunActions  # the first paint need not wait for it

        row = self._listing.current
        RunActions(self).do(action, row.run if row is not None else None)

    def action_select(self) -> None:
        """Select or deselect the run, and move to the next."""
        self._listing.toggle()
        self._listing.action_move(1)

    def action_select_all(self) -> None:
        """Select all visible runs, or none where all were selected."""
        self._listing.toggle_all()

    def action_sort(self, step: int) -> None:
        """Sort by another column, or reverse the order."""
        self._listing.sort_by_next(step)

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether an action applies: some only while the filter is typed, some only else."""
        del parameters
        typing = isinstance(self.focused, Input)
        return {"show_all": typing, "filter": not typing}.get(action, True)

    def action_filter(self) -> None:
        """Focus the filter."""
        self._filter.open()

    def action_clear(self) -> None:
        """Deselect all; where none was selected, clear the filter."""
        if not self._listing.deselect_all():
            self._filter.close()

    def action_show_all(self) -> None:
        """Clear the filter."""
        self._filter.close()

    @on(Listing.Selected)
    def _open(self) -> None:
        """Open the run on enter or a second click."""
        self.action_run("open")

    @on(RunListing.Changed)
    def _show_numbers(self) -> None:
        """Show how many runs there are, and the details of the one at the cursor."""
        self.query_one("#heading", Canvas).show([self._listing.rows.heading()])
        self.query_one("#empty").display = self._listing.rows.empty
        self._show_detail()

    @on(Listing.Moved)
    def _show_detail(self) -> None:
        """Show the details of the run at the cursor."""
        self.query_one("#detail", Canvas).show([detail(self._listing.current)])
