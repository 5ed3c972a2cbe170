"""The runs that wait in the queue of a machine: start it, stop it, and change its order."""

from __future__ import annotations

from collections.abc import Callable
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
from typing_extensions import override

from engine.errors import UserError
from engine.runs.status import State
from tui.charts.canvas import Canvas
from tui.format.run_states import STATES
from tui.format.text import literal
from tui.screens.placed_changes import hosts_of
from tui.screens.placed_queue import Queue, QueuedRow, QueueShown, queues
from tui.terminal.key_names import key_of
from tui.widgets.columns import Column
from tui.widgets.listing import Listing
from tui.widgets.notify import complain
from tui.widgets.steady_footer import SteadyFooter

_REFRESH_SECONDS = 1.0
_EMPTY = "No run is in the queue.\n\n"
_COLUMNS = (
    Column("#", 3, 4, right=True),
    Column("Run", 20, 60),
    Column("State", 11, 12),
    Column("GPU", 4, 6),
)


class QueueScreen(Screen[None]):
    """Lists the queue of one machine from its head on."""

    CSS_PATH = "queue.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "start", "Start the queue"),
        Binding("s", "stop", "Start no more"),
        Binding("K", "move_run(-1)", "Earlier"),
        Binding("J", "move_run(1)", "Later"),
        Binding("d,delete", "remove_run", "Take out"),
        Binding("right_square_bracket", "machine(1)", "Next machine", key_display="]"),
        Binding("left_square_bracket", "machine(-1)", "Previous machine", show=False),
        Binding("escape,q", "dismiss(None)", "Back"),
    ]

    @dataclass
    class Read(Message):
        """A queue, as it is now."""

        queue: Queue
        shown: QueueShown

    def __init__(self, machine: str = "") -> None:
        """``machine`` is the host whose queue is shown first; empty for this machine."""
        super().__init__()
        self._machine = machine
        self._queues: list[Queue] = []

    def compose(self) -> ComposeResult:
        """Yield a heading, and a list or a message that it is empty."""
        yield Canvas(id="heading")
        yield Listing[QueuedRow](_COLUMNS, _cells, lambda row: row.run, choosable=False)
        yield Static(id="empty", markup=False)
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the queue now and then, in a thread."""
        self._queues = queues(hosts_of(self.app))
        self.query_one(Listing).focus()
        self._do(None)
        self.set_interval(_REFRESH_SECONDS, partial(self._do, None))

    def action_start(self) -> None:
        """Start the runs one after another."""
        self._do(self._queue.start)

    def action_stop(self) -> None:
        """Start no more runs; the current one continues."""
        self._do(self._queue.stop)

    def action_move_run(self, step: int) -> None:
        """Move the run to another place."""
        if (run := self._current) is not None:
            self._do(partial(self._queue.move, run, step))

    def action_remove_run(self) -> None:
        """Take the run out of the queue; the run itself stays."""
        if (run := self._current) is not None:
            self._do(partial(self._queue.remove, run))

    def action_machine(self, step: int) -> None:
        """Show the queue of another machine."""
        place = (self._queues.index(self._queue) + step) % len(self._queues)
        self._machine = self._queues[place].machine
        self._do(None)

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "machine" or len(self._queues) > 1

    @property
    def _queue(self) -> Queue:
        return next((q for q in self._queues if q.machine == self._machine), self._queues[0])

    @property
    def _current(self) -> str | None:
        row: QueuedRow | None = self.query_one(Listing).current
        return None if row is None else row.run

    def _do(self, action: Callable[[], object] | None) -> None:
        work = partial(self._work, self._queue, action)
        self.run_worker(work, thread=True, group="queue", exit_on_error=False)

    def _work(self, queue: Queue, action: Callable[[], object] | None) -> None:
        """Run ``action``, then read the queue, in a thread."""
        try:
            if action is not None:
                action()
        except (UserError, OSError) as error:
            self.app.call_from_thread(complain, self, error)
        self.post_message(self.Read(queue, queue.read()))

    @on(Read)
    def _show(self, event: Read) -> None:
        if event.queue is not self._queue:
            return  # read before another machine was chosen
        shown = event.shown
        listing = self.query_one(Listing)
        listing.set_items(shown.rows)
        listing.display = bool(shown.rows)
        empty = self.query_one("#empty", Static)
        how = f"{key_of(self.app, 'enqueue')} on a new run puts it here."
        if event.queue.machine:
            how = f"{key_of(self.app, 'clone')} on a run of the list clones it into this queue."
        empty.update(_EMPTY + how)
        empty.display = not shown.rows
        self.query_one("#heading", Canvas).show([_heading(event.queue, shown, len(self._queues))])


def _heading(queue: Queue, shown: QueueShown, machines: int) -> Content:
    """Return the machine, whether its queue is running and how many runs wait."""
    machine = queue.machine or "this machine"
    parts = [literal(f"Queue of {machine}" if machines > 1 else "Queue", 60).stylize("bold")]
    parts.append(Content("running: one run after another" if shown.running else "not started"))
    waiting = sum(row.state is State.QUEUED for row in shown.rows) + shown.more
    parts.append(Content(f"{waiting:,} waiting"))
    if shown.more:
        parts.append(Content(f"the last {shown.more:,} are not listed"))
    if shown.problem:
        parts.append(literal(shown.problem, 300).stylize("$text-error"))
    return Content("   ").join(parts)


def _cells(row: QueuedRow) -> list[Content]:
    name, style = STATES[row.state]
    return [
        Content(str(row.place)),
        literal(row.run),
        Content.styled(name, style),
        literal(row.device),
    ]
