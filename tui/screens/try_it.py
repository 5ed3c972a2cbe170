"""Try a finished model on new inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Static
from typing_extensions import override

from engine.errors import UserError
from engine.runs.directory import RunDirectory
from engine.service.client import Advisor, Superseded
from tui.format.text import literal
from tui.screens.registry import make_screen
from tui.screens.run_actions import RunActions
from tui.widgets.exchanges import Exchange, Exchanges
from tui.widgets.input_rows import InputRows
from tui.widgets.model_head import ModelHead
from tui.widgets.notify import tell
from tui.widgets.question import Answer, Ask
from tui.widgets.steady_footer import SteadyFooter


class TryItScreen(Screen[None]):
    """Input lines and, above them, the earlier inputs and answers."""

    CSS_PATH = "try_it.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "scroll(-1)", "Earlier", priority=True),
        Binding("pagedown", "scroll(1)", "Later", priority=True),
        Binding("ctrl+g", "explain", "Where did it look?", priority=True),
        Binding("ctrl+s", "save", "Save predictions", priority=True),
        Binding("escape", "leave", "Back"),
    ]

    @dataclass
    class Loaded(Message):
        """The columns that the model needs, or the error."""

        columns: Sequence[str] | UserError
        ahead: Sequence[str] = ()
        """Columns of a file of the future, for a forecast that knows some ahead."""
        by_row: bool = True
        """Whether rows are predicted by themselves; a forecast needs a file of many."""
        explained: bool = False
        """Whether the prediction for a row can be explained."""

    @dataclass
    class Answered(Message):
        """A model's answer, or its error."""

        exchange: Exchange
        place: int
        """Index of the model."""
        answer: Answer | UserError

    def __init__(
        self, run: RunDirectory, ask: Ask | None = None, others: Sequence[RunDirectory] = ()
    ) -> None:
        """Send the same input to ``others``; use ``ask`` instead of an advisor."""
        super().__init__()
        self._run = run
        self._ids = [run.id, *(other.id for other in others)]
        self._head = ModelHead(self._ids)
        self._advisor = Advisor()
        self._ask: Ask = ask or self._advisor.ask
        self._exchanges = Exchanges(id="answers")
        self._waiting = 0
        self._wanted = ""
        """The request for input, once the model is loaded."""
        self._several = False
        """Whether the model takes values of several columns."""
        self._explains = False
        self._last: Mapping[str, str] = {}
        """The row that was typed last."""
        self._typed: str | None = ""
        """Text typed before there is a line for it; ``None`` from then on."""
        self._sent = ""
        """Text that was sent by then, with enter."""

    def compose(self) -> ComposeResult:
        """Yield the screen; input lines come when the columns are known."""
        yield self._head
        yield self._exchanges
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Load the model in a thread."""
        self._head.say("loading the model; type ahead …")
        self._load()

    def on_unmount(self) -> None:
        """Discard pending requests."""
        self._advisor.close()

    def on_key(self, event: events.Key) -> None:
        """Keep what is typed while the model is loading."""
        if self._typed is None:
            return
        if event.is_printable and event.character:
            self._typed += event.character
        elif event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.key == "enter" and self._typed.strip() and not self._sent:
            self._sent, self._typed = self._typed, ""
        else:
            return
        event.stop()
        event.prevent_default()
        self._head.loads(self._sent, self._typed)

    @work(thread=True, exit_on_error=False)
    def _load(self) -> None:
        try:
            answers = [self._ask("predict", run=run) for run in self._ids]
        except UserError as error:
            self.post_message(self.Loaded(error))
        else:
            columns = [
                (
                    answer["inputs"],
                    answer.get("ahead", ()),
                    answer.get("by_row", True),
                    answer.get("explained", False),
                )
                for answer in answers
            ]
            same = all(names == columns[0] for names in columns)
            differ = UserError("These models need different inputs, so they cannot be compared.")
            self.post_message(self.Loaded(*columns[0]) if same else self.Loaded(differ))

    @on(Loaded)
    async def _loaded(self, event: Loaded) -> None:
        if isinstance(event.columns, UserError):
            self._typed = None
            self._head.say("")
            await self._exchanges.mount(Static(literal(event.columns, 1000).stylize("$text-error")))
        else:
            self._wanted, self._explains = _request(event), event.explained
            self._several = len(event.columns) > 1
            self.refresh_bindings()
            self._head.say(self._wanted)
            typed, self._typed = self._typed or "", None
            whole = event.by_row and len(event.columns) == 1  # else a row needs more than this
            typed = typed if whole else self._sent + typed
            rows = InputRows(event.columns, event.ahead, typed, event.by_row)
            await self.mount(rows, before=self.query_one(SteadyFooter))
            if whole and self._sent:
                await self._asked(InputRows.Asked({event.columns[0]: self._sent.strip()}))

    @on(InputRows.Asked)
    async def _asked(self, event: InputRows.Asked) -> None:
        """Send the input, unless an answer is pending; say what is wanted if nothing was typed."""
        if self._waiting:
            return
        if not (event.row or event.file or event.future):
            self._head.say(f"nothing is typed yet: {self._wanted}", "$text-warning")
            return
        self._head.say(self._wanted)
        self._waiting = len(self._ids)
        exchange = Exchange(_question(event, self._several), self._ids)
        await self._exchanges.add(exchange)
        self._last = event.row
        rows = [event.row] if event.row else []
        self._predict(exchange, rows, event.file, event.future)

    @work(thread=True, exit_on_error=False)
    def _predict(
        self, exchange: Exchange, rows: Sequence[Mapping[str, str]], file: str, future: str
    ) -> None:
        files = {"file": file, "future": future}
        for place, run in enumerate(self._ids):
            try:
                answer: Answer | UserError = self._ask(
                    "predict", run=run, rows=rows, drawn=True, **files
                )
            except Superseded:
                return
            except UserError as error:
                answer = error
            self.post_message(self.Answered(exchange, place, answer))

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        self._waiting -= 1
        reply = event.exchange.replies[event.place]
        reply.show(event.answer)
        self._exchanges.go_to(event.exchange)
        if reply.forecasts is not None:
            self.query_one(InputRows).above = reply.forecasts.enter
            way = "chart" if reply.forecasts.single else "list, tab to its chart"
            self._head.say(f"up goes to the {way}: left and right read values")

    def action_scroll(self, pages: int) -> None:
        """Scroll through earlier answers."""
        self._exchanges.turn(pages)

    def action_explain(self) -> None:
        """Show what the first model's prediction for the last row rests on."""
        if self._last:
            arguments = {"run": self._ids[0], "row": self._last}
            self.app.push_screen(make_screen("explanation", self._ask, arguments))
        else:
            tell(self, "Type an input and press enter first; a row of a file is not explained.")

    @override
    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether the first model's predictions can be explained."""
        del parameters
        return action != "explain" or self._explains

    def action_save(self) -> None:
        """Save predictions of the first model for the rows of a file."""
        RunActions(self).do("predict", self._run)

    @on(InputRows.Left)
    def action_leave(self) -> None:
        """Close the screen."""
        self.dismiss()


def _request(found: TryItScreen.Loaded) -> str:
    """Return what the user is asked for."""
    if found.ahead:
        return "name files of the past and its future, and press enter"
    if not found.by_row:
        return "name a file of the past, and press enter"
    several = not isinstance(found.columns, UserError) and len(found.columns) > 1
    return "type, down goes to the next line, enter asks" if several else "type, and press enter"


def _question(event: InputRows.Asked, several: bool) -> Content:
    """Return the input on one line: the text of a model that takes one, else names and values."""
    if event.file:
        return Content.styled("› ", "$primary") + literal(
            f"the rows of {event.file}" + f", then {event.future}" * bool(event.future), 500
        )
    typed = [f"{name}={value}" if several else value for name, value in event.row.items()]
    return (Content("› ") + literal("  ".join(typed), 5000)).stylize("bold $primary")
