"""All adapters on this machine, by base model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.runs.adapters import AdapterSummary, list_adapters
from engine.service.client import Advisor
from tui.charts.canvas import Canvas
from tui.format.text import literal
from tui.screens.adapters.products import Products
from tui.screens.adapters.table import COLUMNS, Row, cells
from tui.screens.registry import make_screen, try_screen
from tui.screens.run_actions import RunActions
from tui.widgets.listing import Listing
from tui.widgets.notify import complain
from tui.widgets.question import Ask
from tui.widgets.steady_footer import SteadyFooter

_EMPTY = """\
There are no adapters yet.

A run whose adapter.method is lora, dora or rslora leaves one
when its base model was pre-trained."""


class AdaptersScreen(Screen[None]):
    """Lists adapters to try, compare, merge, or start new runs from."""

    CSS_PATH = "adapters.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark"),
        Binding("t,enter", "try_it", "Try, compare"),
        Binding("I", "merge", "Merge"),
        Binding("ampersand", "combine", "Combine", key_display="&"),
        Binding("X", "export", "Export"),
        Binding("n", "new", "New run"),
        Binding("escape,q", "leave", "Back"),
    ]

    @dataclass
    class Read(Message):
        """The adapters as read from disk, or the error."""

        adapters: Sequence[AdapterSummary] | UserError

    def __init__(self, ask: Ask | None = None) -> None:
        """Use ``ask`` instead of an advisor."""
        super().__init__()
        self._advisor = Advisor()
        self._ask: Ask = ask or self._advisor.ask
        self._products = Products(self, self._ask)

    def compose(self) -> ComposeResult:
        """Yield a list, or a message that it is empty."""
        yield Canvas(id="head")
        yield Listing[Row](COLUMNS, cells, lambda row: row.adapter.run.id, choosable=False)
        yield Static(_EMPTY, id="empty", markup=False)
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the adapters in a thread."""
        self.query_one(Listing).focus()
        self._read()

    def on_unmount(self) -> None:
        """Cancel a running combination."""
        self._advisor.close()

    @property
    def _listing(self) -> Listing[Row]:
        return self.query_one(Listing)

    @work(thread=True, exit_on_error=False)
    def _read(self) -> None:
        try:
            self.post_message(self.Read(list_adapters(runs_folder())))
        except UserError as error:
            self.post_message(self.Read(error))

    @on(Read)
    def _show(self, event: Read) -> None:
        if isinstance(event.adapters, UserError):
            complain(self, event.adapters)
            return
        bases = [adapter.base for adapter in event.adapters]
        rows = [
            Row(adapter, place == bases.index(adapter.base))
            for place, adapter in enumerate(event.adapters)
        ]
        self._listing.set_items(rows)
        self._listing.display = bool(rows)
        self.query_one("#empty").display = not rows
        counts = f"{_count(len(rows), 'adapter')} on {_count(len(set(bases)), 'base model')}"
        head = Content.styled("Adapters   ", "bold $primary") + literal(counts)
        self.query_one("#head", Canvas).show([head])

    def action_mark(self) -> None:
        """Select the adapter for a comparison, or deselect it."""
        current = self._listing.current
        self._listing.set_items(
            [replace(r, marked=not r.marked) if r is current else r for r in self._listing.items]
        )

    def action_try_it(self) -> None:
        """Send the same input to the selected adapters, or to the one at the cursor."""
        if rows := self._chosen():
            first, *others = [row.adapter.run.run for row in rows]
            # In the process of this screen: it keeps the base model loaded for the next request.
            self.app.push_screen(try_screen(first, others, self._advisor, self._ask))

    def _chosen(self) -> list[Row]:
        """Return the selected adapters, or the one at the cursor."""
        marked = [row for row in self._listing.items if row.marked]
        return marked or [row for row in [self._listing.current] if row]

    def action_new(self) -> None:
        """Create a run that starts from the adapter's model."""
        row = self._listing.current
        if row is None:
            return
        run = row.adapter.run.run
        try:
            values = run.config.read().values()
        except UserError as error:
            complain(self, error)
            return
        values["model"]["path"] = run.id
        self.app.push_screen(make_screen("new run", values))

    def action_merge(self) -> None:
        """Merge the adapter into its base model and write that to a path from the user."""
        if (row := self._listing.current) is not None:
            run = row.adapter.run
            RunActions(self).export_as(run.run, run.name, "merged")

    def action_export(self) -> None:
        """Export the model in a chosen format, to a path from the user."""
        if (row := self._listing.current) is not None:
            RunActions(self).export(row.adapter.run.run)

    def action_combine(self) -> None:
        """Combine the selected adapters to a new one."""
        rows = self._chosen()
        if len(rows) < 2:
            complain(self, UserError("Mark two or more adapters of one base with space first."))
            return
        self._products.combine([row.adapter.run for row in rows], self._read)

    def action_leave(self) -> None:
        """Close the screen."""
        self.dismiss()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
