"""The results of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import TabPane

from engine.config.metric import LOSS
from engine.errors import UserError
from engine.reports.gallery import Case, Explained, GalleryList
from engine.reports.note_table import notes_in, tally
from engine.reports.views import Pictures, View, read_view
from engine.runs.directory import RunDirectory
from engine.runs.follower import read_history
from engine.runs.history import History
from engine.service.client import Advisor
from tui.charts.canvas import Canvas
from tui.charts.chart import Chart
from tui.format.benchmark_lines import benchmark_lines
from tui.format.headline import headline
from tui.format.numbers import duration, number
from tui.format.run_facts import BASE, INTERVAL, intervals_of, numbers_of, with_intervals
from tui.format.run_states import STATES
from tui.format.settings_used import SettingsUsed, read_settings_used, settings_lines
from tui.format.text import literal
from tui.format.topics import is_empty, tab_title, topics
from tui.format.verdict import verdict
from tui.format.whole import whole_case
from tui.screens.clone import clone
from tui.screens.errands import errands_of
from tui.screens.last_run import leave
from tui.screens.placed_changes import is_own
from tui.screens.registry import make_screen, try_screen
from tui.screens.run_actions import RunActions
from tui.screens.run_keys import RUN_KEYS
from tui.widgets import run_panels as panels
from tui.widgets.gallery import GalleryPanel
from tui.widgets.lines import Lines
from tui.widgets.notify import complain
from tui.widgets.panel_tabs import PanelTabs
from tui.widgets.steady_footer import SteadyFooter
from tui.widgets.view import ViewPanel, ViewStack

_MUTED = "$foreground 60%"
_SAID = "accuracy"
_SUMMARY = "summary-lines"
_BESIDE = 4
"""Cells beside a line: padding and the scroll bar."""
_ROOMY = 1000


class ResultsScreen(Screen[None]):
    """Final metrics beside the baseline, and every view of the report, drawn by its form."""

    CSS_PATH = "results.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "try_it", "Try it"),
        Binding("m", "watch", "Metrics, log"),
        Binding("c", "clone", "Clone"),
        *RUN_KEYS,
        Binding("escape,q", "leave", "Back"),
    ]

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self._run = run
        self._read_so_far: tuple[Mapping[str, Any], History] | None = None
        self._meanings: Mapping[str, str] = {}
        self._used = SettingsUsed()
        self._benchmarks: list[Content] = []
        self._advisor = Advisor()

    def compose(self) -> ComposeResult:
        """Yield head and tabs; the tabs come when the report has been read."""
        yield Canvas(id="head")
        yield PanelTabs(id="tabs")
        yield SteadyFooter()

    def on_mount(self) -> None:
        """Read the report in a thread."""
        leave(self.app, self._run.id)
        self.run_worker(self._read, thread=True)

    @property
    def run_at_hand(self) -> RunDirectory:
        """The run that commands are about."""
        return self._run

    def action_try_it(self) -> None:
        """Try the model on new inputs."""
        if is_own(self, self._run):
            models = errands_of(self.app).models
            self.app.push_screen(try_screen(self._run, (), models, models.ask))

    def action_watch(self) -> None:
        """Show the curves and the log of the run."""
        self.app.push_screen(make_screen("monitor", self._run))

    def action_clone(self) -> None:
        """Create a new run with this run's configuration."""
        clone(self, self._run)

    def action_of_run(self, action: str) -> None:
        """Export the model, save predictions, and the like."""
        RunActions(self).do(action, self._run)

    def on_unmount(self) -> None:
        """End the helper process."""
        self._advisor.close()

    @on(GalleryPanel.Enlarged)
    def _enlarge(self, event: GalleryPanel.Enlarged) -> None:
        if isinstance(event.view, Pictures):
            self.app.push_screen(make_screen("picture", event.view.pictures))
        else:
            self._open(event.view.title, whole_case(event.view))

    @on(ViewPanel.Opened)
    def _open_row(self, event: ViewPanel.Opened) -> None:
        self._open(event.title, event.lines)

    def _open(self, title: str, lines: Sequence[Content]) -> None:
        self.app.push_screen(make_screen("read", title, lines))

    @on(GalleryPanel.Explained)
    def _explain(self, event: GalleryPanel.Explained) -> None:
        if not is_own(self, self._run):
            return
        arguments = {"run": self._run.id} | explanation_arguments(event.case)
        self.app.push_screen(make_screen("explanation", self._advisor.ask, arguments))

    def action_leave(self) -> None:
        """Close the screen."""
        self.dismiss()

    def _read(self) -> None:
        """Read report and events, in a thread."""
        report, evals, gallery = None, None, None
        try:
            report, evals = self._run.report.read(), self._run.evals.read()
            gallery = self._run.gallery.read()
        except UserError as error:
            self.app.call_from_thread(complain, self, error)
        self._benchmarks = list(benchmark_lines(evals))
        self._meanings = _meanings(self._run)
        history, state = read_history(self._run), self._run.status.state()
        self._used = read_settings_used(self._run, history)
        show = partial(self._show, report or {}, history, STATES[state], gallery)
        self.app.call_from_thread(self.call_next, show)

    async def _show(
        self,
        report: Mapping[str, Any],
        history: History,
        state: tuple[str, str],
        gallery: GalleryList | None,
    ) -> None:
        self.query_one("#head", Canvas).show([_head(self._run, report, state)])
        tabs = self.query_one(PanelTabs)
        summary = Lines(id=_SUMMARY)
        curves = Chart()
        panes: list[tuple[Content, Widget]] = [(Content("Summary"), summary)]
        if gallery is not None:
            panes.append((literal(gallery.title), GalleryPanel(self._run.gallery, gallery)))
        for topic, views in topics(views_of(report), gallery is not None).items():
            if not is_empty(views):
                panes.append((literal(tab_title(topic)), ViewStack(views, opens=True)))
        panes.append((Content("Loss"), curves))
        for place, (title, widget) in enumerate(panes):
            await tabs.add_pane(TabPane(title, widget, id=f"view-{place}"))
        self._read_so_far = report, history
        self._show_summary(summary)
        shown, best = panels.curves(history, "loss")
        curves.best_by = str(report.get("metric", ""))
        curves.plot("loss", shown, best)

    def on_resize(self) -> None:
        """Lay the table of notes out for the new width."""
        for summary in self.query(f"#{_SUMMARY}").results(Lines):
            self._show_summary(summary)

    def _show_summary(self, summary: Lines) -> None:
        if self._read_so_far is not None:
            width = self.size.width - _BESIDE
            lines = summary_lines(*self._read_so_far, width, self._meanings, self._used)
            summary.show_lines([*lines, *self._benchmarks, *panels.places(self._run)])


def explanation_arguments(case: Case) -> dict[str, Any]:
    """Return what the helper process needs to explain the prediction of a case."""
    known = case.explained or Explained()
    found: dict[str, Any] = {"target": known.target} if known.target else {}
    if isinstance(case.view, Pictures):
        return found | {"picture": asdict(case.view.pictures[0]), "file": case.view.title}
    return found | {"row": dict(known.row)}


def views_of(report: Mapping[str, Any]) -> list[View]:
    """Return the views of a report that this version can draw."""
    return [view for record in report.get("views") or () if (view := read_view(record))]


def summary_lines(
    report: Mapping[str, Any],
    history: History,
    width: int,
    meanings: Mapping[str, str],
    used: SettingsUsed | None = None,
) -> list[Content]:
    """Return the verdict, metrics of each split beside the baseline's, settings, data and model.

    The table of notes on the data is ``width`` cells wide. ``meanings`` are those of metrics; they
    stand below where there is no room beside the values.
    """
    table = list(metric_lines(report, width))
    beside = beside_values(table, meanings, width)
    return [
        *headline(report, history),
        Content(""),
        *(beside or table),
        Content(""),
        *_about(report),
        *_doubts(history),
        Content(""),
        *([*settings_lines(used), Content("")] if used is not None else []),
        *([] if beside else meaning_lines(report, meanings)),
        *panels.data_facts(history, width),
        Content(""),
        *panels.model_facts(history),
        Content(""),
    ]


def metric_lines(report: Mapping[str, Any], width: int = _ROOMY) -> Iterator[Content]:
    """Yield a row a metric, a column a split, base model and baseline last; the deciding metric in
    bold. Intervals of 95 % are a column if ``width`` has room for it, else a passage below.
    Sentences on further baselines follow.
    """
    columns = _columns(report)
    split, intervals = intervals_of(report)
    whole = with_intervals(columns, split, intervals)
    roomy = 16 + sum(_width(name, column) for name, column in whole.items()) <= width
    columns = whole if roomy else columns
    widths = [_width(name, column) for name, column in columns.items()]
    headings = [
        literal(name, width - 2).pad_left(width - min(len(name), width - 2))
        for name, width in zip(columns, widths, strict=True)
    ]
    yield Content(" " * 16).stylize(_MUTED) + Content("").join(headings).stylize(_MUTED)
    for metric in dict.fromkeys(name for metrics in columns.values() for name in metrics):
        values = [
            f"{metrics.get(metric, '–'):>{width}}"
            for metrics, width in zip(columns.values(), widths, strict=True)
        ]
        style = "bold $success" if metric == report.get("metric") else ""
        yield (literal(f"{metric:<16}", 16) + Content("".join(values))).stylize(style)
    if intervals and not roomy:
        passage = ", ".join(f"{name} {text}" for name, text in intervals.items())
        yield Content("")
        yield from literal(f"{INTERVAL}s of {split}: {passage}", 500).wrap(max(20, width))
    for other in report.get("baselines") or []:
        told = other.get("verdict") or {"text": f"Too few windows for a verdict: {other['name']}."}
        if told != report.get("verdict"):
            yield literal(str(told["text"])).stylize(_MUTED)


def _columns(report: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    """Return the metrics of each split, the base model and the baseline as texts."""
    columns = dict(reversed((report.get("metrics") or {}).items()))
    if base := report.get("base"):
        columns[BASE] = base["metrics"]
    if baseline := report.get("baseline"):
        columns[f"baseline: {baseline.get('name', '')}"] = baseline.get("metrics") or {}
    return {name: numbers_of(metrics) for name, metrics in columns.items()}


def _width(name: str, texts: Mapping[str, str]) -> int:
    """Return the width of a column of metrics."""
    longest = max([len(name), *map(len, texts.values())])
    return max(12, min(36, longest + 2))


def beside_values(
    table: Sequence[Content], meanings: Mapping[str, str], width: int
) -> list[Content]:
    """Return the rows of metrics with their meanings behind; empty where they have no room."""
    found = []
    for line in table:
        name = line.plain.partition(" ")[0]
        text = f"   {meanings[name]}" if name in meanings else ""
        if text and line.cell_length + len(text) > width:
            return []
        found.append(line + Content.styled(text, _MUTED))
    return found


def meaning_lines(report: Mapping[str, Any], meanings: Mapping[str, str]) -> Iterator[Content]:
    """Yield what the metrics of a report mean."""
    known = [name for name in _metric_names(report) if name in meanings]
    if known:
        yield Content.styled("Metrics", "bold $primary")
        for name in known:
            yield literal(f"{name:<16} ", 17).stylize(_MUTED) + literal(meanings[name])
        yield Content("")


def _metric_names(report: Mapping[str, Any]) -> dict[str, None]:
    splits = (report.get("metrics") or {}).values()
    return dict.fromkeys(name for metrics in splits for name in metrics)


def _meanings(run: RunDirectory) -> dict[str, str]:
    """Return a line on each metric of the run's task."""
    try:
        metrics = run.config.read().task.metrics
    except UserError:
        return {}
    known = {metric.name: metric.help for metric in (LOSS, *metrics)}
    return {name: text for name, text in known.items() if text}


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
        # People ask for the accuracy, even where the loss chose the weights.
        names = dict.fromkeys([*[_SAID] * (metric == LOSS.name and _SAID in metrics), metric])
        values = ", ".join(f"{name} {number(metrics.get(name))}" for name in names)
        parts.append(literal(f"{split} {values}", 60).stylize("bold"))
        break
    return Content("   ").join(parts)
