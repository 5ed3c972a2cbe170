"""The lines above the panels: head, progress bars, numbers and a message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from textual.content import Content
from textual.widget import Widget

from engine.runs.diagnosis import diagnose
from engine.runs.events import Failed, Finished, Imported, Interrupted, Stopped
from engine.runs.status import State
from tui.charts.canvas import Canvas
from tui.format import run_progress
from tui.format.text import literal
from tui.screens.monitor.repaint import Repaint
from tui.screens.monitor.watcher import Watch
from tui.terminal.key_names import key_of
from tui.widgets import run_panels
from tui.widgets.progress import ProgressLine

_MESSAGE_LINES = 5


class StatusLines:
    """The newest numbers of a run, and what its state means."""

    def __init__(self, name: str, repaint: Repaint, unreachable: Callable[[], str]) -> None:
        """``unreachable`` returns why nothing new comes from the run's machine, if so."""
        self._name = name
        self._unreachable = unreachable
        self._repaint = repaint
        self._head = Canvas(id="head")
        self._epoch = ProgressLine(id="epoch")
        self._total = ProgressLine(id="total")
        self._numbers = Canvas(id="numbers")
        self._message = Canvas(id="word")

    def compose(self) -> Iterator[Widget]:
        """Yield the lines from top to bottom."""
        yield from (self._head, self._epoch, self._total, self._numbers, self._message)

    def paint(self, watch: Watch, pending: Sequence[Content]) -> None:
        """Paint the lines if they changed; ``pending`` requests replace the message."""
        history, state = watch.history, watch.state
        cut = "" if state.ended else self._unreachable()
        seen = (history.version, state, watch.starting, watch.gone, pending, cut)
        if not self._repaint.new("numbers", *seen):
            return
        self._head.show([run_panels.head(self._name, state, history, bool(cut))])
        for line in (self._epoch, self._total, self._numbers):
            line.display = not isinstance(history.ending, Imported)
        epoch, total = run_progress.shares(history, over=state.ended, starting=watch.starting)
        self._epoch.show_progress(*epoch)
        self._total.show_progress(*total)
        if watch.trained is not None:
            self._numbers.show([run_panels.numbers(watch.trained)])
        lost = [literal(f"{cut} Shown is what came before.", 400).stylize("$error")] * bool(cut)
        about = [*lost, *pending] or [_message(watch, self._key)]
        self._show_message(Content("   ").join(about))

    def _key(self, name: str) -> str:
        return key_of(self._message.app, name)

    def _show_message(self, message: Content) -> None:
        """Show the message on as many lines as it needs."""
        width = self._message.screen.size.width
        lines = message.wrap(max(20, width - 2))[:_MESSAGE_LINES]
        self._message.styles.height = max(1, len(lines))
        self._message.show(lines)


def _how(ending: Finished | Stopped) -> str:
    if isinstance(ending, Stopped):
        return "Stopped"
    return "Finished" if ending.reason == "completed" else f"Finished by {ending.reason}"


def _message(watch: Watch, key: Callable[[str], str]) -> Content:
    """Return the message about the run's state; ``key`` returns the key for a meaning."""
    ending, run = None if watch.starting else watch.history.ending, watch.run
    if watch.gone:
        text = f"{run.path} was deleted or moved; what is shown was read before."
        return literal(text, 400).stylize("$error")
    if isinstance(ending, Failed):
        text = f"{ending.message}  {key('clone')} opens its form. Its log: {run.log}"
        return literal(text, 600).stylize("$error")
    if watch.state is State.LOST:
        resumed = f"{key('resume')} resumes from the last checkpoint. "
        known = watch.history.checkpoint is not None
        text = f"The process exited without an error message. {resumed * known}Its log: {run.log}"
        return literal(text, 400).stylize("$error")
    if isinstance(ending, Finished | Stopped) and run.report.path.exists():
        return literal(f"{_how(ending)}. Enter shows the results.").stylize("bold $success")
    if isinstance(ending, Imported):
        how = f"it can be compared ({key('compare')} in Runs), not resumed."
        return literal(f"Imported from {ending.program}: {how}").stylize("$secondary")
    if isinstance(ending, Interrupted):
        return literal(f"Interrupted; {key('resume')} resumes from the last checkpoint.").stylize(
            "$warning"
        )
    return literal(diagnose(watch.history.evaluations)).stylize("bold $warning")
