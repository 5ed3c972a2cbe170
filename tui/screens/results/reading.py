"""The content of a run that has ended, read in a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual.content import Content

from engine.config.metric import LOSS
from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.runs.directory import RunDirectory
from engine.runs.follower import read_history
from engine.runs.history import History
from engine.runs.status import State
from tui.format.benchmark_lines import benchmark_lines
from tui.format.settings_used import SettingsUsed, read_settings_used
from tui.format.training_adds import training_adds
from tui.widgets.gallery_rows import GalleryRows


@dataclass(frozen=True)
class Results:
    """A run's files, as far as they can be read."""

    run: RunDirectory
    report: Mapping[str, Any]
    """Empty where there is none."""
    gallery: GalleryRows | None
    history: History
    state: State
    used: SettingsUsed
    benchmarks: Sequence[Content]
    """Lines on the benchmarks."""
    meanings: Mapping[str, str]
    """A line on each metric of the run's task."""
    training_adds: str
    """Parts of the training loss that the validation loss has not."""
    problem: UserError | None
    """The reason why a file could not be read."""


def read_results(run: RunDirectory) -> Results:
    """Read the results of a run."""
    report, evals, gallery, problem = None, None, None, None
    try:
        report, evals = run.report.read(), run.evals.read()
        found = run.gallery.read()
        gallery = None if found is None else GalleryRows(found)
    except UserError as error:
        problem = error
    history, config = read_history(run), _config(run)
    return Results(
        run,
        report or {},
        gallery,
        history,
        run.status.state(),
        read_settings_used(run, history),
        list(benchmark_lines(evals)),
        {} if config is None else _meanings(config),
        "" if config is None else training_adds(config),
        problem,
    )


def _config(run: RunDirectory) -> RunConfig | None:
    try:
        return run.config.read()
    except UserError:
        return None


def _meanings(config: RunConfig) -> dict[str, str]:
    """Return a line on each metric of the run's task."""
    known = {metric.name: metric.help for metric in (LOSS, *config.task.metrics)}
    return {name: text for name, text in known.items() if text}
