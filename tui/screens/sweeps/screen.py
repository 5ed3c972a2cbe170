"""All sweeps, the newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from engine.errors import UserError
from engine.files.paths import sweeps_folder
from engine.sweep.directory import SweepDirectory, all_sweeps
from engine.sweep.table import SweepTable
from tui.charts.canvas import Canvas
from tui.format.numbers import number
from tui.format.text import literal
from tui.screens.sweeps.new_sweep import NewSweepScreen
from tui.screens.sweeps.sweep import SweepScreen
from tui.terminal.key_names import key_of
from tui.widgets.columns import Column
from tui.widgets.listing import Listing
from tui.widgets.notify import complain
from tui.widgets.run_feed import RunFeed
from tui.widgets.steady_footer import SteadyFooter

POLL_SECONDS = 2.0
_COLUMNS = (
    Column("Sweep", 16, 48),
    Column("State", 9, 9),
    Column("Trials", 6, 6, right=True),
    Column("Metric", 9, 16, right=True),
    Column("Best", 8, 10, right=True),
    Column("As it is", 8, 10, right=True),
)
_EMPTY = """\
There are no sweeps yet.

Press  {key}  to search for better values of a preset by many runs."""


@dataclass(frozen=True)
class Row:
    """A sweep as a row of the list."""

    sweep: SweepDirectory
    table: SweepTable
    running: bool
    problem: str = ""

    @classmethod
    def of(cls, sweep: SweepDirectory) -> Row:
        """Read a sweep's current state; a damaged one is shown with its error."""
        try:
            return cls(sweep, sweep.table(), sweep.running())
        except UserError as error:
            return cls(sweep, SweepTable(), False, str(error))


class SweepsScreen(Screen[None]):
    """Lists sweeps; opens one, or starts a new one."""

    CSS_PATH = "sweeps.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "New sweep"),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._feed = RunFeed(self, _read_sweeps, POLL_SECONDS, self._show)

    def compose(self) -> ComposeResult:
        """Yield a list, or a message that it is empty."""
        yield Canvas(id="heading")
        yield Listing[Row](_COLUMNS, _cells, lambda row: row.sweep.name)
        yield Static(_EMPTY.format(key=key_of(self.app, "new")), id="empty", markup=False)
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the sweeps in a thread."""
        self.query_one(Listing).focus()
        self.query_one("#heading", Canvas).show([Content.styled("Sweeps", "bold $primary")])
        self._feed.poll()

    def on_unmount(self) -> None:
        """Stop the thread at once."""
        self._feed.end()

    def _show(self, rows: Sequence[Row]) -> None:
        self.query_one(Listing).set_items(rows)
        self.query_one(Listing).display = bool(rows)
        self.query_one("#empty").display = not rows

    @on(Listing.Selected)
    def _open(self) -> None:
        row: Row | None = self.query_one(Listing).current
        if row is None:
            return
        if row.problem:
            complain(self, UserError(row.problem))
        else:
            self.app.push_screen(SweepScreen(row.sweep))

    def action_new(self) -> None:
        """Open the dialog for a new sweep."""

        def begun(sweep: SweepDirectory | None) -> None:
            if sweep is not None:
                self.app.push_screen(SweepScreen(sweep))

        self.app.push_screen(NewSweepScreen(), begun)


def _read_sweeps() -> Iterator[Sequence[Row]]:
    yield [Row.of(sweep) for sweep in all_sweeps(sweeps_folder())]


def _cells(row: Row) -> list[Content]:
    table = row.table
    state = "! damaged" if row.problem else "searching" if row.running else "ended"
    preset = table.preset
    return [
        literal(row.sweep.name),
        Content(state),
        Content(f"{len(table.trials)}"),
        literal(table.metric),
        Content(number(table.best.value if table.best else None)),
        Content(number(preset.value if preset else None)),
    ]
