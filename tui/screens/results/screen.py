"""The results of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

from engine.reports.gallery import Case, Explained
from engine.reports.views import Pictures, View, read_view
from engine.runs.directory import RunDirectory
from engine.service.client import Advisor
from tui.charts.chart import Chart
from tui.format.text import literal
from tui.format.topics import is_empty, tab_title, topics
from tui.format.whole import whole_case
from tui.screens.clone import clone
from tui.screens.errands import errands_of
from tui.screens.last_run import leave
from tui.screens.placed_changes import is_own
from tui.screens.registry import make_screen, try_screen
from tui.screens.results.head import Head
from tui.screens.results.reading import Results, read_results
from tui.screens.results.summary import Summary
from tui.screens.run_actions import RunActions
from tui.screens.run_keys import run_keys
from tui.widgets import run_panels
from tui.widgets.gallery import GalleryPanel
from tui.widgets.notify import complain
from tui.widgets.panel_tabs import PanelTabs
from tui.widgets.steady_footer import SteadyFooter
from tui.widgets.view import ViewPanel, ViewStack


class ResultsScreen(Screen[None]):
    """Final metrics beside the baseline, and every view of the report, drawn by its form."""

    CSS_PATH = "results.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "try_it", "Try it"),
        Binding("m", "watch", "Metrics, log"),
        Binding("c", "clone", "Clone"),
        Binding("escape,q", "leave", "Back"),
        # Last, as a narrow footer has no room for the last ones.
        *run_keys("predict", "export", "report"),
    ]

    def __init__(self, run: RunDirectory) -> None:
        super().__init__()
        self._run = run
        self._advisor = Advisor()

    def compose(self) -> ComposeResult:
        """Yield head and tabs; the tabs come when the report has been read."""
        yield Head(self._run, id="head")
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
            lines = whole_case(event.view)
            self.app.push_screen(make_screen("read", event.view.title, lines))

    @on(ViewPanel.Opened)
    def _open_row(self, event: ViewPanel.Opened) -> None:
        self.app.push_screen(make_screen("read", event.title, event.lines))

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
        results = read_results(self._run)
        self.app.call_from_thread(self.call_next, partial(self._show, results))

    async def _show(self, results: Results) -> None:
        if results.problem is not None:
            complain(self, results.problem)
        panels = enumerate(panels_of(results))
        await self.query_one(PanelTabs).add_panels(
            TabPane(title, widget, id=f"view-{place}") for place, (title, widget) in panels
        )
        self.query_one(Head).show_results(results)


def panels_of(results: Results) -> Iterator[tuple[Content, Widget]]:
    """Yield the titles of the panels with their widgets."""
    yield Content("Summary"), Summary(results)
    gallery = results.gallery
    if gallery is not None:
        yield literal(gallery.title), GalleryPanel(results.run.gallery, gallery)
    for topic, views in topics(views_of(results.report), gallery is not None).items():
        if not is_empty(views):
            yield literal(tab_title(topic)), ViewStack(views, opens=True)
    curves = Chart()
    curves.best_by = str(results.report.get("metric", ""))
    curves.notes = run_panels.loss_notes(results.training_adds)
    curves.plot("loss", *run_panels.curves(results.history, "loss"))
    yield Content("Loss"), curves


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
