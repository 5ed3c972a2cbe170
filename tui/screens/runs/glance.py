"""The content of a pane on one run, read in a thread while the list stays responsive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.runs.comparison import Row, differences
from engine.runs.diagnosis import diagnose
from engine.runs.directory import RunDirectory
from engine.runs.events import Failed, Imported
from engine.runs.follower import Follower
from engine.runs.history import History
from engine.runs.summary import RunSummary
from tui.charts.chart import Curve
from tui.charts.plot import Pair
from tui.format.imported import imported_settings
from tui.format.key_settings import key_settings
from tui.format.metric_names import metric_names
from tui.screens.runs.shown_rows import Before
from tui.widgets.run_panels import AXES, curves, usable_axis


@dataclass(frozen=True)
class Glance:
    """A run in a few lines and one chart."""

    row: RunSummary
    metric: str = ""
    """The metric of the curves: the deciding one, or the loss where that has none."""
    curves: Sequence[Curve] = ()
    best: Pair | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    split: str = ""
    """The split of the run's final metrics; empty before the end."""
    verdict: Mapping[str, Any] = field(default_factory=dict)
    """Text and outcome of the verdict beside the baseline; empty where there is none."""
    warning: str = ""
    """The error of a failed run, or what its evaluations warn of."""
    before: str = ""
    """The name of the run before it of the same task."""
    changed: Sequence[Row] = ()
    """Fields whose values differ from that run's."""
    last: str = ""
    """The newest message of the log."""
    gone: bool = False
    """Whether the run's machine is not reachable now."""


class GlanceReader:
    """Reads the chosen run; :meth:`choose` may be called while another thread reads."""

    def __init__(
        self,
        before_reading: Callable[[RunSummary], object],
        is_gone: Callable[[RunSummary], bool] = lambda row: False,
    ) -> None:
        """Call ``before_reading`` with each run before its files are read, in the thread.

        ``is_gone`` returns whether the machine of a run is not reachable.
        """
        self._before_reading = before_reading
        self._is_gone = is_gone
        self._chosen: tuple[RunSummary, Before] | None = None
        self._shown: RunSummary | None = None
        self._gone = False
        self._events: Follower | None = None
        self._history = History()

    def choose(self, row: RunSummary | None, before: Before) -> None:
        """Choose the run to read, and the one that it is compared with."""
        self._chosen = (row, before) if row is not None else None

    def read(self) -> Iterator[Glance]:
        """Yield the chosen run if it is another one, or has new events."""
        if (chosen := self._chosen) is None:
            return
        row, before = chosen
        self._before_reading(row)
        gone = self._is_gone(row)
        if self._read_events(row) or (row, gone) != (self._shown, self._gone):
            self._shown, self._gone = row, gone
            yield replace(glance(row, self._history, before(row)), gone=gone)

    def _read_events(self, row: RunSummary) -> bool:
        """Bring the history up to date; returns whether there was anything new."""
        if self._events is not None and self._shown is not None and self._shown.key == row.key:
            version = self._history.version
            self._history.apply_all(self._events.new())
            return self._history.version != version
        self._events, self._history = Follower(row.run.events.path), History()
        self._events.catch_up(self._history)
        return True


def glance(row: RunSummary, history: History, before: RunSummary | None = None) -> Glance:
    """Read what the pane shows beside the history; what cannot be read is left out."""
    decides = (row.metric, "validation") in history.curves
    metric = row.metric if decides else metric_names(history)[0]
    axis = usable_axis([history], AXES[0])
    drawn, best = curves(history, metric, axis)
    config = _config(row)
    other = _config(before) if before is not None else None
    report = _report(row.run)
    return Glance(
        row,
        metric,
        drawn,
        best,
        key_settings(config, history) if config else _imported(row),
        _split(history, report),
        report.get("verdict") or {},
        _warning(row, history),
        before.name if before is not None and config and other else "",
        tuple(differences([other, config])) if config and other else (),
        history.log[-1].message if history.log else "",
    )


def _config(row: RunSummary) -> RunConfig | None:
    try:
        return row.run.config.read()
    except UserError:
        return None


def _imported(row: RunSummary) -> Mapping[str, str]:
    try:
        imported = row.run.config.imported()
    except UserError:
        return {}
    return imported_settings(imported) if imported is not None else {}


def _split(history: History, report: Mapping[str, Any]) -> str:
    """Return the split of the final metrics; empty before there are any."""
    if isinstance(history.ending, Imported):
        return history.ending.split
    return "test" if "test" in (report.get("metrics") or {}) else "validation" if report else ""


def _report(run: RunDirectory) -> Mapping[str, Any]:
    try:
        return run.report.read() or {}
    except UserError:
        return {}


def _warning(row: RunSummary, history: History) -> str:
    if row.problem:
        return row.problem
    if isinstance(history.ending, Failed):
        return history.ending.message
    return diagnose(history.evaluations)
