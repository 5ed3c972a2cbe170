"""The results of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import TabPane

from engine.errors import UserError
from engine.reports.note_table import notes_in, tally
from engine.reports.views import View, read_view
from engine.runs.directory import RunDirectory
from engine.runs.follower import read_history
from engine.runs.history import History
from tui.charts.canvas import Canvas
from tui.charts.chart import Chart
from tui.format.evals import evals_table
from tui.format.numbers import duration, number
from tui.format.run_facts import BASE
from tui.format.run_states import STATES
from tui.format.text import literal
from tui.format.verdict import verdict
from tui.screens.registry import make_screen, try_screen
from tui.widgets import run_panels as panels
from tui.widgets.lines import Lines
from tui.widgets.notify import complain
from tui.widgets.panel_tabs import PanelTabs
from tui.widgets.steady_footer import SteadyFooter
from tui.widgets.view import ViewPanel

_MUTED = "$foreground 60%"
_TITLE = 28
_SUMMARY = "summary-lines"
_BESIDE = 4
_VERDICT = {"better": "$text-success", "worse": "$text-error", "open": "$text-warning"}
"""Cells beside a line: padding and the scroll bar."""


class ResultsScreen(Screen[None]):
    """Final metrics beside the baseline, and every view of the report, drawn by its form."""

    CSS_PATH = "results.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket,n", "tab(1)", "Next view", key_display="]"),
        Binding("left_square_bracket,N", "tab(-1)", "Previous view", key_display="["),
        *(
            Binding(str(number), f"show_tab({number})", f"View {number}", show=False)
            for number in range(1, 10)
        ),
        Binding("t", "try_it", "Try it"),
        Binding("w", "watch", "Curves and log"),
        Binding("c", "clone", "Clone"),
        Binding("escape,q", "leave", "Back"),
    ]

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self._run = run
        self._read_so_far: tuple[Mapping[str, Any], History] | None = None
        self._benchmarks: list[Content] = []

    def compose(self) -> ComposeResult:
        """Yield head and tabs; the tabs come when the report has been read."""
        yield Canvas(id="head")
        yield PanelTabs(id="tabs")
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the report in a thread."""
        self.run_worker(self._read, thread=True)

    def action_tab(self, step: int) -> None:
        """Show the next or the previous view."""
        self.query_one(PanelTabs).step(step)

    def action_show_tab(self, number: int) -> None:
        """Show the view with this number."""
        self.query_one(PanelTabs).go_to(number)

    def action_try_it(self) -> None:
        """Try the model on new inputs."""
        self.app.push_screen(try_screen(self._run))

    def action_watch(self) -> None:
        """Show the curves and the log of the run."""
        self.app.push_screen(make_screen("monitor", self._run))

    def action_clone(self) -> None:
        """Create a new run with this run's configuration."""
        try:
            self.app.push_screen(make_screen("new run", self._run.config.read().values()))
        except UserError as error:
            complain(self, error)

    def action_leave(self) -> None:
        """Close the screen."""
        self.dismiss()

    def _read(self) -> None:
        """Read report and events, in a thread."""
        try:
            report, evals = self._run.report.read(), self._run.evals.read()
        except UserError as error:
            self.app.call_from_thread(complain, self, error)
            report = evals = None
        self._benchmarks = list(benchmark_lines(evals))
        history, state = read_history(self._run), self._run.status.state()
        show = partial(self._show, report or {}, history, STATES[state])
        self.app.call_from_thread(self.call_next, show)

    async def _show(
        self, report: Mapping[str, Any], history: History, state: tuple[str, str]
    ) -> None:
        self.query_one("#head", Canvas).show([_head(self._run, report, state)])
        tabs = self.query_one(PanelTabs)
        summary = Lines(id=_SUMMARY)
        curves = Chart()
        panes: list[tuple[Content, Widget]] = [(Content("Summary"), summary)]
        panes += [(literal(tab_title(view.title)), ViewPanel(view)) for view in views_of(report)]
        panes.append((Content("Loss"), curves))
        for place, (title, widget) in enumerate(panes):
            await tabs.add_pane(TabPane(title, widget, id=f"view-{place}"))
        self._read_so_far = report, history
        self._show_summary(summary)
        shown, best = panels.curves(history, "loss")
        curves.plot("loss", shown, best)
        summary.focus()

    def on_resize(self) -> None:
        """Lay the table of notes out for the new width."""
        for summary in self.query(f"#{_SUMMARY}").results(Lines):
            self._show_summary(summary)

    def _show_summary(self, summary: Lines) -> None:
        if self._read_so_far is not None:
            lines = summary_lines(*self._read_so_far, self.size.width - _BESIDE)
            summary.show_lines([*lines, *self._benchmarks, *panels.places(self._run)])


def views_of(report: Mapping[str, Any]) -> list[View]:
    """Return the views of a report that this version can draw."""
    return [view for record in report.get("views") or () if (view := read_view(record))]


def tab_title(title: str) -> str:
    """Return the first and the last words of a title, which distinguish it from others."""
    first, *rest = title.split(" ")
    if len(title) <= _TITLE or not rest:
        return title[:_TITLE]
    last = ""
    for word in reversed(rest):
        if len(f"{first} … {word} {last}".strip()) > _TITLE:
            break
        last = f"{word} {last}".strip()
    return f"{first} … {last}"[:_TITLE].strip()


def summary_lines(report: Mapping[str, Any], history: History, width: int) -> list[Content]:
    """Return metrics of each split beside the baseline's, then data and model.

    The table of notes on the data is ``width`` cells wide.
    """
    return [
        *metric_lines(report),
        Content(""),
        *_about(report),
        *_doubts(history),
        Content(""),
        *panels.data_facts(history, width),
        Content(""),
        *panels.model_facts(history),
        Content(""),
    ]


def metric_lines(report: Mapping[str, Any]) -> Iterator[Content]:
    """Yield a row a metric, a column a split, base model and baseline last; the deciding metric in
    bold. Sentences on the baseline and on rivals follow.
    """
    columns: dict[str, Mapping[str, float | None]] = dict(
        reversed((report.get("metrics") or {}).items())
    )
    if base := report.get("base"):
        columns[BASE] = base["metrics"]
    if baseline := report.get("baseline"):
        columns[f"baseline: {baseline.get('name', '')}"] = baseline.get("metrics") or {}
    widths = [max(12, min(36, len(name) + 2)) for name in columns]
    headings = [
        literal(name, width - 2).pad_left(width - min(len(name), width - 2))
        for name, width in zip(columns, widths, strict=True)
    ]
    yield Content(" " * 16).stylize(_MUTED) + Content("").join(headings).stylize(_MUTED)
    for metric in dict.fromkeys(name for metrics in columns.values() for name in metrics):
        values = [
            f"{number(metrics.get(metric)):>{width}}"
            for metrics, width in zip(columns.values(), widths, strict=True)
        ]
        style = "bold $success" if metric == report.get("metric") else ""
        yield (literal(f"{metric:<16}", 16) + Content("".join(values))).stylize(style)
    if verdict := report.get("verdict"):
        yield Content("")
        text = literal(str(verdict.get("text", "")))
        yield text.stylize(_VERDICT.get(str(verdict.get("outcome")), ""))
    for rival in report.get("rivals") or []:
        told = rival.get("verdict") or {"text": f"Too few windows for a verdict: {rival['name']}."}
        if told != report.get("verdict"):
            yield literal(str(told["text"])).stylize(_MUTED)


def benchmark_lines(evals: Mapping[str, Any] | None) -> Iterator[Content]:
    """Yield the results of lm-eval, a row a metric; nothing where there are none."""
    headings, rows = evals_table(evals)
    if not rows:
        return
    widths = [max(map(len, column)) + 2 for column in zip(headings, *rows, strict=True)]
    yield Content.styled("Benchmarks", "bold $primary")
    for row in (headings, *rows):
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield literal("".join(cells).rstrip(), 200).stylize(_MUTED if row is headings else "")
    yield Content("")


def _about(report: Mapping[str, Any]) -> Iterator[Content]:
    best, epochs = report.get("best_epoch"), report.get("epochs")
    if best is not None:
        text = f"epoch {best:.3g} of {epochs} by {report.get('metric')}"
        yield Content.styled("best         ", _MUTED) + literal(text)
    for name, text in verdict(report).items():
        yield literal(f"{name:<13}").stylize(_MUTED) + literal(text, 200)
    yield Content.styled("ended        ", _MUTED) + literal(report.get("ending", "–"))
    yield Content.styled("trained for  ", _MUTED) + literal(duration(report.get("seconds")))


def _doubts(history: History) -> Iterator[Content]:
    """Yield a line where data was left out or is in doubt."""
    serious = [note for note in notes_in(history.data) if note.kind != "converted"]
    if serious:
        told = literal(f"{tally(serious)}: listed below").stylize("$text-warning")
        yield Content.styled("data         ", _MUTED) + told


def _head(run: RunDirectory, report: Mapping[str, Any], state: tuple[str, str]) -> Content:
    parts = [literal(run.id, 64).stylize("bold $primary"), Content.styled(*state)]
    metric = report.get("metric")
    for split, metrics in reversed((report.get("metrics") or {}).items()):
        value = number(metrics.get(metric))
        parts.append(literal(f"{split} {metric} {value}", 60).stylize("bold"))
        break
    return Content("   ").join(parts)
