"""The summary of a run: verdict, metrics, settings, data, model and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from textual import events
from textual.content import Content

from engine.reports.note_table import notes_in, tally
from engine.runs.history import History
from tui.format.captions import captioned
from tui.format.headline import headline
from tui.format.numbers import duration
from tui.format.settings_used import SettingsUsed, settings_lines
from tui.format.text import literal
from tui.format.verdict import verdict
from tui.screens.results.metrics import beside_values, meaning_lines, metric_lines
from tui.screens.results.reading import Results
from tui.widgets import run_panels
from tui.widgets.lines import Lines

_MUTED = "$foreground 60%"


class Summary(Lines):
    """Laid out for its width, as tables of metrics and of notes depend on it."""

    def __init__(self, results: Results) -> None:
        super().__init__()
        self._results = results

    def on_resize(self, event: events.Resize) -> None:
        """Lay the summary out for the new width."""
        event.prevent_default()
        width = self.scrollable_content_region.width
        if width > 0:
            found = self._results
            lines = summary_lines(found.report, found.history, width, found.meanings, found.used)
            self.show_lines([*lines, *found.benchmarks, *run_panels.places(found.run)])


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
        *run_panels.data_facts(history, width),
        Content(""),
        *run_panels.model_facts(history),
        Content(""),
    ]


def _about(report: Mapping[str, Any]) -> Iterator[Content]:
    best, epochs = report.get("best_epoch"), report.get("epochs")
    if best is not None:
        text = f"epoch {best:.3g} of {epochs} by {report.get('metric')}"
        yield Content.styled("best         ", _MUTED) + literal(text)
    for name, text in verdict(report).items():
        yield captioned(name, literal(text, 200), 12, gap=" ")
    yield Content.styled("ended        ", _MUTED) + literal(report.get("ending", "–"))
    yield Content.styled("trained for  ", _MUTED) + literal(duration(report.get("seconds")))


def _doubts(history: History) -> Iterator[Content]:
    """Yield a line where data was left out or is in doubt."""
    serious = [note for note in notes_in(history.data) if note.kind != "converted"]
    if serious:
        warning = literal(f"{tally(serious)}: listed below").stylize("$text-warning")
        yield Content.styled("data         ", _MUTED) + warning
