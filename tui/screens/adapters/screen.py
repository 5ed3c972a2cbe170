"""All adapters on this machine, by base model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static

from engine.config.combination import Combination
from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.runs.adapters import AdapterSummary, list_adapters
from engine.service.client import Advisor
from tui.charts.canvas import Canvas
from tui.format.export_formats import FORMS
from tui.format.numbers import number, size
from tui.format.text import literal
from tui.screens.adapters.combine import CombineScreen
from tui.screens.dialogs.ask_path import AskPathScreen
from tui.screens.registry import make_screen
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.listing import Column, Listing
from tui.widgets.notify import complain, tell
from tui.widgets.question import Answer, Ask
from tui.widgets.steady_footer import SteadyFooter

_COLUMNS = (
    Column("", 2, 2),
    Column("Base", 8, 36),
    Column("Run", 9, 30),
    Column("Method", 6, 6),
    Column("r", 3, 4, right=True),
    Column("Targets", 9, 40),
    Column("Size", 8, 8, right=True),
    Column("Metric", 8, 11, right=True),
    Column("Value", 7, 8, right=True),
    Column("Date", 8, 8),
)
_EMPTY = """\
There are no adapters yet.

A run whose adapter.method is lora, dora or rslora leaves one
when its base model was pre-trained."""


@dataclass(frozen=True)
class Row:
    """An adapter, and whether it is the first of its base model."""

    adapter: AdapterSummary
    first: bool
    marked: bool = False


class AdaptersScreen(Screen[None]):
    """Lists adapters to try, compare, merge, or start new runs from."""

    CSS_PATH = "adapters.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "Mark"),
        Binding("t,enter", "try_it", "Try, compare"),
        Binding("m", "merge", "Merge"),
        Binding("c", "combine", "Combine"),
        Binding("e", "export", "Export"),
        Binding("n", "new", "New run"),
        Binding("escape,q", "leave", "Back"),
    ]

    @dataclass
    class Read(Message):
        """The adapters as read from disk, or the error."""

        adapters: Sequence[AdapterSummary] | UserError

    @dataclass
    class Written(Message):
        """A model was exported, or the error."""

        answer: Answer | UserError

    @dataclass
    class Combined(Message):
        """An adapter was created by combination, or the error."""

        answer: Answer | UserError

    def __init__(self, ask: Ask | None = None) -> None:
        """Use ``ask`` instead of an advisor."""
        super().__init__()
        self._advisor = Advisor()
        self._ask: Ask = ask or self._advisor.ask

    def compose(self) -> ComposeResult:
        """Yield a list, or a message that it is empty."""
        yield Canvas(id="head")
        yield Listing[Row](_COLUMNS, _cells, lambda row: row.adapter.run.id, choosable=False)
        yield Static(_EMPTY, id="empty", markup=False)
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the adapters in a thread."""
        self.query_one(Listing).focus()
        self._read()

    def on_unmount(self) -> None:
        """Cancel a running merge, as no one waits for it."""
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
        self._show_head(
            f"{_count(len(rows), 'adapter')} on {_count(len(set(bases)), 'base model')}"
        )

    def _show_head(self, text: str) -> None:
        head = Content.styled("Adapters   ", "bold $primary") + literal(text)
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
            self.app.push_screen(make_screen("try it", first, self._ask, others))

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
        self._export_as("merged")

    def action_export(self) -> None:
        """Export the model in a chosen format, to a path from the user."""
        if self._listing.current is not None:
            choice = ChoiceScreen("Export as", FORMS, "adapter")
            self.app.push_screen(choice, lambda form: self._export_as(form) if form else None)

    def _export_as(self, form: str) -> None:
        row = self._listing.current
        if row is None:
            return
        run = row.adapter.run
        title = f"Merge {run.id} into its base" if form == "merged" else f"Export {run.id}"
        self.app.push_screen(
            AskPathScreen(f"{title}, written to", f"./{run.name}-{form}"),
            lambda path: self._write(run.id, path, form) if path else None,
        )

    def _write(self, run: str, destination: str, form: str) -> None:
        tell(self, "Writing; the result is tried before it is kept.")
        self._ask_for(self.Written, "export", run=run, destination=destination, form=form)

    @on(Written)
    def _written(self, event: Written) -> None:
        if isinstance(event.answer, UserError):
            complain(self, event.answer)
            return
        path, count = event.answer["path"], event.answer["bytes"]
        difference = event.answer["difference"]
        tell(self, f"{path}: {size(count)}, loaded back and agrees to {difference:.1g}.")

    def action_combine(self) -> None:
        """Combine the selected adapters to a new one."""
        rows = self._chosen()
        if len(rows) < 2:
            complain(self, UserError("Mark two or more adapters of one base with space first."))
            return
        runs = [(row.adapter.run.id, row.adapter.run.name) for row in rows]
        self.app.push_screen(CombineScreen(runs), self._combine)

    def _combine(self, wanted: Combination | None) -> None:
        if wanted is not None:
            tell(self, "Combining …")
            self._ask_for(self.Combined, "combine", **asdict(wanted))

    @on(Combined)
    def _combined(self, event: Combined) -> None:
        if isinstance(event.answer, UserError):
            complain(self, event.answer)
            return
        tell(self, f"{event.answer['run']} is there: try it, or continue from it.")
        self._read()

    @work(thread=True, exit_on_error=False)
    def _ask_for(
        self, message: Callable[[Answer | UserError], Message], question: str, **arguments: Any
    ) -> None:
        try:
            self.post_message(message(self._ask(question, **arguments)))
        except UserError as error:
            self.post_message(message(error))

    def action_leave(self) -> None:
        """Close the screen."""
        self.dismiss()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _cells(row: Row) -> list[Content]:
    adapter, run = row.adapter, row.adapter.run
    base = adapter.base.rstrip("/").rpartition("/")[2] if row.first else ""
    targets = literal(", ".join(adapter.targets))
    if adapter.problem:
        targets = literal(adapter.problem).stylize("$text-error")
    return [
        Content.styled("●", "bold $success") if row.marked else Content(""),
        literal(base).stylize("bold"),
        literal(run.name),
        literal(adapter.method),
        Content(str(adapter.r)),
        targets,
        Content(size(adapter.size)),
        literal(run.metric),
        Content(number(run.value)),
        Content(f"{datetime.fromtimestamp(run.started):%y-%m-%d}"),
    ]
