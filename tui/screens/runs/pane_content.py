"""The content of the pane beside the list: the run at the cursor at a glance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.timer import Timer

from engine.runs.comparison import shown_text
from engine.runs.summary import RunSummary
from tui.charts.canvas import Canvas
from tui.charts.chart import Chart
from tui.format.captions import captioned
from tui.format.numbers import number
from tui.format.run_states import last_known, shown_state
from tui.format.text import literal
from tui.format.verdict import OUTCOMES
from tui.screens.placed_changes import hosts_of, unreachable
from tui.screens.runs.glance import Glance, GlanceReader
from tui.screens.runs.shown_rows import Before
from tui.terminal.key_names import key_of
from tui.widgets.visible_feed import VisibleFeed

_SECONDS = 2.0, 10.0
"""Between two looks at a run that trains: usually, and over a slow connection."""
_REST = 0.15
"""Seconds that the cursor must rest on a run before it is read."""
_NAME = 14
_MOST_CHANGED = 6
_MUTED = "$foreground 60%"


class PaneContent(Vertical):
    """Name, verdict, curve, settings, what differs from the run before, the newest message."""

    DEFAULT_CSS = """
    PaneContent {
        Chart { height: 1fr; min-height: 6; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._reader = GlanceReader(self._follow, lambda row: bool(unreachable(self.app, row.run)))
        self.feed = VisibleFeed(self, self._reader.read, self._show, _SECONDS)
        self._timer: Timer | None = None
        self._above = Canvas(id="pane-above")
        self._chart = Chart(id="pane-chart")
        self._below = Canvas(id="pane-below")
        self._glance: Glance | None = None

    def compose(self) -> ComposeResult:
        """Yield what is said above the curve, the curve, and what is said below."""
        yield from (self._above, self._chart, self._below)

    def on_unmount(self) -> None:
        """Stop the thread at once."""
        self.feed.end()

    def choose(self, row: RunSummary | None, before: Before) -> None:
        """Show a run once the cursor rests on it, compared with the one ``before``."""
        self._reader.choose(row, before)
        if self._timer is not None:
            self._timer.stop()
        if self.display:
            self._timer = self.set_timer(_REST, self.feed.wake)

    def on_resize(self) -> None:
        """Wrap for the new width."""
        self._lay_out()

    def _follow(self, row: RunSummary) -> None:
        """Let a host send the run, in a thread; its files are read as soon as they come."""
        if row.host and (host := hosts_of(self.app).of(row.run)) is not None:
            host.runs.follow(row.id, whole=False)

    def _show(self, glance: Glance) -> None:
        self._glance = glance
        self._lay_out()
        self._chart.display = bool(glance.curves)
        self._chart.best_by = glance.row.metric
        self._chart.plot(glance.metric, glance.curves, glance.best)

    def _lay_out(self) -> None:
        glance, width = self._glance, self.scrollable_content_region.width
        if glance is not None and width > 0:
            self._fill(self._above, above(glance), width)
            self._fill(self._below, below(glance, width, key_of(self.app, "compare")), width)

    def _fill(self, canvas: Canvas, lines: Iterator[Content], width: int) -> None:
        shown = [part for line in lines for part in line.wrap(width)]
        canvas.styles.height = max(1, len(shown))
        canvas.show(shown)


def above(glance: Glance) -> Iterator[Content]:
    """Yield the run's name and state, its metric, its verdict and a warning."""
    row = glance.row
    word, style = shown_state(row.state, row.paused)
    state = Content.styled(word, style)
    if glance.gone and not row.state.ended:
        state = last_known(state)
    yield literal(row.name, 64).stylize("bold $primary") + "  " + state
    if glance.gone:
        about = f"{row.host} is not reachable. Shown is what came before."
        yield literal(about, 300).stylize("$text-error")
    if row.value is not None:
        where = literal(f"  {glance.split or 'validation, the best so far'}").stylize(_MUTED)
        yield literal(f"{row.metric} {number(row.value)}").stylize("bold") + where
    if text := glance.verdict.get("text"):
        yield literal(text, 300).stylize(OUTCOMES.get(str(glance.verdict.get("outcome")), ""))
    if glance.warning:
        style = "$text-error" if row.problem or not glance.curves else "$text-warning"
        yield literal(glance.warning, 300).stylize(style)


def below(glance: Glance, width: int, compare_key: str) -> Iterator[Content]:
    """Yield the settings, what differs from the run before, and the newest message.

    ``compare_key`` shows all differences.
    """
    yield from (_pair(name, value) for name, value in glance.settings.items())
    if glance.before:
        yield Content("")
        yield from _changes(glance, width, compare_key)
    if glance.last:
        yield Content("")
        yield literal(glance.last, 2 * width).stylize(_MUTED)


def _changes(glance: Glance, width: int, compare_key: str) -> Iterator[Content]:
    rows: Sequence[tuple[str, str]] = [
        (row.name.rpartition(".")[2], f"{shown_text(row.values[0])} → {shown_text(row.values[1])}")
        for row in glance.changed
    ]
    head = f"differs from {glance.before} in" if rows else f"the same settings as {glance.before}"
    yield literal(head, width).stylize("bold $foreground")
    yield from (_pair(name, text) for name, text in rows[:_MOST_CHANGED])
    if len(rows) > _MOST_CHANGED:
        more = f"and {len(rows) - _MOST_CHANGED} more; {compare_key} compares runs"
        yield literal(more).stylize(_MUTED)


def _pair(name: str, value: str) -> Content:
    return captioned(name, literal(value, 120), _NAME, gap=" ")
