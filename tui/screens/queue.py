"""The runs that wait in the queue: start it, stop it, and change its order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from engine.errors import UserError
from engine.queue import entries
from engine.runs.status import State
from tui.charts.canvas import Canvas
from tui.format.run_states import STATES
from tui.format.text import literal
from tui.terminal.key_names import key_of
from tui.widgets.columns import Column
from tui.widgets.listing import Listing
from tui.widgets.notify import complain
from tui.widgets.steady_footer import SteadyFooter

_REFRESH_SECONDS = 1.0
_EMPTY = """\
No run is in the queue.

{key} on a new run puts it here."""
_COLUMNS = (
    Column("#", 3, 4, right=True),
    Column("Run", 20, 60),
    Column("State", 11, 12),
    Column("GPU", 4, 6),
)


@dataclass(frozen=True, slots=True)
class _Row:
    place: int
    run: str
    state: State
    device: str


class QueueScreen(Screen[None]):
    """Lists the queue from its head on."""

    CSS_PATH = "queue.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "start", "Start the queue"),
        Binding("s", "stop", "Start no more"),
        Binding("K", "move_run(-1)", "Earlier"),
        Binding("J", "move_run(1)", "Later"),
        Binding("d,delete", "remove_run", "Take out"),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    @dataclass
    class Read(Message):
        """The queue as read from disk, and whether it is running."""

        rows: Sequence[_Row]
        running: bool

    def compose(self) -> ComposeResult:
        """Yield a heading, and a list or a message that it is empty."""
        yield Canvas(id="heading")
        yield Listing[_Row](_COLUMNS, _cells, lambda row: row.run, choosable=False)
        yield Static(_EMPTY.format(key=key_of(self.app, "enqueue")), id="empty", markup=False)
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the queue now and then, in a thread."""
        self.query_one(Listing).focus()
        self._do(None)
        self.set_interval(_REFRESH_SECONDS, partial(self._do, None))

    def action_start(self) -> None:
        """Start the runs one after another."""
        self._do(entries.start)

    def action_stop(self) -> None:
        """Start no more runs; the current one continues."""
        self._do(entries.stop)

    def action_move_run(self, step: int) -> None:
        """Move the run to another place."""
        if (run := self._current) is not None:
            self._do(partial(entries.move, run, step))

    def action_remove_run(self) -> None:
        """Take the run out of the queue; the run itself stays."""
        if (run := self._current) is not None:
            self._do(partial(entries.remove, run))

    @property
    def _current(self) -> str | None:
        row: _Row | None = self.query_one(Listing).current
        return None if row is None else row.run

    def _do(self, action: Callable[[], object] | None) -> None:
        work = partial(self._work, action)
        self.run_worker(work, thread=True, group="queue", exit_on_error=False)

    def _work(self, action: Callable[[], object] | None) -> None:
        """Run ``action``, then read the queue, in a thread."""
        try:
            if action is not None:
                action()
        except UserError as error:
            self.app.call_from_thread(complain, self, error)
        rows = [
            _Row(place, entry.run.id, entry.run.status.state(), entry.device)
            for place, entry in enumerate(entries.entries(), 1)
        ]
        self.post_message(self.Read(rows, entries.running()))

    @on(Read)
    def _show(self, event: Read) -> None:
        listing = self.query_one(Listing)
        listing.set_items(event.rows)
        listing.display = bool(event.rows)
        self.query_one("#empty").display = not event.rows
        told = "running: one run after another" if event.running else "not started"
        waiting = sum(row.state is State.QUEUED for row in event.rows)
        text = f"Queue   {told}   {waiting:,} waiting"
        self.query_one("#heading", Canvas).show([literal(text)])


def _cells(row: _Row) -> list[Content]:
    name, style = STATES[row.state]
    return [
        Content(str(row.place)),
        literal(row.run),
        Content.styled(name, style),
        literal(row.device),
    ]
