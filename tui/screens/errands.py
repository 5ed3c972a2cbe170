"""Long tasks on finished runs, such as exports, which continue while other screens are open."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

from textual.app import App
from textual.notifications import Notification, Notify

from engine.errors import UserError
from engine.service.client import Advisor
from tui.format.text import literal
from tui.terminal.textual_private import forget
from tui.widgets.notify import complain, tell
from tui.widgets.question import Answer

_STAYS = 86_400.0
"""Seconds for which the message on a running task stays, unless it ends before."""
_READ = 20.0
"""Seconds for which its result stays."""

Report = Callable[[Answer], list[str]]
Work = Callable[[Advisor], Answer]


class Errands:
    """Does each task in a helper process of its own; shows a message from beginning to end."""

    def __init__(self, app: App[Any]) -> None:
        self._app = app
        self._running: dict[Advisor, str] = {}
        self.models = Advisor()
        """The helper process that keeps the models loaded that were tried."""

    @property
    def running(self) -> tuple[str, ...]:
        """Names of the tasks that are running."""
        return tuple(self._running.values())

    def ask(self, doing: str, report: Report, question: str, **arguments: Any) -> None:
        """Put a question to a helper process; ``report`` makes lines of its answer.

        ``doing`` says to the user what is being done.
        """
        self.do(doing, report, lambda advisor: advisor.ask(question, **arguments))

    def do(self, doing: str, report: Report, work: Work) -> None:
        """Work in a thread, with a helper process that is ended with the program."""
        advisor = Advisor()
        self._running[advisor] = doing
        notification = Notification(literal(f"{doing} …", 300).plain, timeout=_STAYS, markup=False)
        self._app.post_message(Notify(notification))
        job = partial(self._work, advisor, notification, report, work)
        self._app.run_worker(job, thread=True, group="errands", exit_on_error=False)

    def close(self) -> None:
        """End all tasks."""
        for advisor in (self.models, *self._running):
            advisor.close()

    def _work(
        self, advisor: Advisor, notification: Notification, report: Report, work: Work
    ) -> None:
        """Work, in a thread."""
        answer: Answer | Exception
        try:
            with advisor:
                answer = work(advisor)
        except (UserError, OSError) as error:
            answer = error
        self._app.call_later(self._ended, advisor, notification, report, answer)

    def _ended(
        self,
        advisor: Advisor,
        notification: Notification,
        report: Report,
        answer: Answer | Exception,
    ) -> None:
        del self._running[advisor]
        forget(self._app, notification)
        if isinstance(answer, Exception):
            complain(self._app.screen, answer)
            return
        for line in report(answer):
            tell(self._app.screen, line, _READ)


class _HasErrands(Protocol):
    errands: Errands | None


def errands_of(app: App[Any]) -> Errands:
    """Return the tasks of the program, which begins with none."""
    program = cast(_HasErrands, app)
    if program.errands is None:
        program.errands = Errands(app)
    return program.errands
