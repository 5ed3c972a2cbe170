"""The user's commands to a run, and the run's answers to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from textual.content import Content
from textual.screen import Screen

from engine.errors import UserError
from engine.runs.control import EPOCHS, LEARNING_RATE, STOP, Request
from engine.runs.events import Controlled
from tui.format.text import literal
from tui.screens.dialogs.ask_value import AskValueScreen
from tui.screens.dialogs.confirm import ConfirmScreen
from tui.screens.monitor.requests import Asked, Asking, epochs, learning_rate
from tui.screens.monitor.watcher import Watch
from tui.screens.placed_changes import PlacedChanges, hosts_of
from tui.widgets.notify import complain, in_thread, tell


class Commands:
    """Sends requests to one run, and shows its answers on ``screen``."""

    def __init__(
        self, screen: Screen[None], watch: Watch, name: str, rate: float, asked: Callable[[], None]
    ) -> None:
        """Call ``asked`` after each request; ``rate`` is the run's peak learning rate."""
        self._screen = screen
        self._watch = watch
        self._name = name
        self._rate = rate
        self._asked = asked
        self._asking = Asking()
        self._sending = asyncio.Lock()

    def request(self, action: str) -> None:
        """Send a request, after a question where it needs a value or a confirmation."""
        questions = {STOP: self._stop, LEARNING_RATE: self._learning_rate, EPOCHS: self._epochs}
        if action in questions:
            questions[action]()
        else:
            self._ask(Request(action), action)

    def resume(self) -> None:
        """Resume the run from its last checkpoint."""
        placed = PlacedChanges(lambda: hosts_of(self._screen.app))
        in_thread(self._screen, partial(placed.resume, self._watch.run))

    def pending(self) -> tuple[Content, ...]:
        """Return the pending requests and the last answers, the newest first."""
        return tuple(map(_line, reversed(self._asking.current(time.monotonic()))))

    def read(self, answers: Sequence[Controlled]) -> None:
        """Process the run's answers to requests."""
        for request, answer in self._asking.read(answers, time.monotonic()):
            if not answer.accepted:
                complain(self._screen, UserError(answer.message))
            elif request.action == LEARNING_RATE:
                self._rate = request.arguments["value"]

    def give_up(self) -> None:
        """Show which requests a run that has ended did not answer."""
        for text in self._asking.give_up():
            self._ended_before(text)

    def _ended_before(self, text: str) -> None:
        tell(self._screen, f"The run ended before it did this: {text}.")

    def _stop(self) -> None:
        """Ask the run to stop, after a confirmation."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._ask(Request(STOP), "stop")

        question = f"Stop {self._name}? It stops within one update and keeps its model."
        self._screen.app.push_screen(ConfirmScreen(question), answered)

    def _learning_rate(self) -> None:
        """Send a request for another learning rate."""

        def answered(text: str | None) -> None:
            if text is not None:
                value = learning_rate(text)
                self._ask(Request(LEARNING_RATE, {"value": value}), f"learning rate {value:g}")

        title = "Peak learning rate from now on"
        dialog = AskValueScreen(title, f"{self._rate:g}", learning_rate)
        self._screen.app.push_screen(dialog, answered)

    def _epochs(self) -> None:
        """Send a request for more or fewer epochs."""
        progress = self._watch.history.progress
        done, total = (progress.epoch, progress.epochs) if progress is not None else (0.0, 1)

        def check(text: str) -> int:
            return epochs(text, done)

        def answered(text: str | None) -> None:
            if text is not None:
                value = check(text)
                self._ask(Request(EPOCHS, {"value": value}), f"{value} epochs")

        dialog = AskValueScreen("Epochs in all", str(total), check)
        self._screen.app.push_screen(dialog, answered)

    def _ask(self, request: Request, text: str) -> None:
        """Show the request at once; the run answers by an event, unless it has ended."""
        if self._watch.state.ended:
            self._ended_before(text)
            return
        self._asking.ask(request, text, time.monotonic())
        self._screen.run_worker(self._send(request), group="requests")
        self._asked()

    async def _send(self, request: Request) -> None:
        """Write the request to disk in a thread, one after the other."""
        async with self._sending:
            try:
                await asyncio.to_thread(self._watch.run.requests.send, request)
            except OSError as error:
                complain(self._screen, error)


def _line(asked: Asked) -> Content:
    """Return a request that is pending, the run's answer, or why it was refused."""
    if asked.answer is None:
        return literal(f"… {asked.text}: asked").stylize("$foreground 60%")
    if asked.answer.accepted:
        return literal(f"✓ {asked.answer.message}").stylize("$success")
    return literal(f"✗ {asked.text}: {asked.answer.message}").stylize("$error")
