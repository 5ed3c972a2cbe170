"""Output formats of a followed run: one moving line on a terminal, plain lines, or JSON."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from engine.files.sanitize import plain
from engine.reports.note_table import FEW, left_over, notes_in
from engine.runs.events import Data, Evaluated, Event, Finished, Log, Model, Stopped, encode
from engine.runs.history import History, metric_that_decides
from engine.runs.time_left import seconds_left
from tui.cli import console
from tui.format.note_lines import note_lines
from tui.format.numbers import amount, duration, number, percent
from tui.format.run_progress import phase_name, preparing

_BAR_CELLS = 12
_INDENT = "  "


class Reporter(Protocol):
    """Reports the events of a run to the user or to a program."""

    def event(self, event: Event, history: History) -> None:
        """Report an event, which ``history`` already includes."""

    def show(self, history: History) -> None:
        """Some time has passed."""

    def note(self, text: str) -> None:
        """Print a message that is not from the run."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class JsonLines:
    """Every event as it stands in the run's file, a line each; notes go to standard error."""

    def event(self, event: Event, history: History) -> None:
        """The event."""
        print(encode(event), flush=True)

    def show(self, history: History) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """A line on standard error."""
        console.complain(text)

    def close(self) -> None:
        """Nothing."""


class PlainLines:
    """A line for each thing worth keeping: for log files and pipes."""

    def __init__(self, metric: str, run: str = "RUN") -> None:
        self._metric = metric
        self._run = run

    def event(self, event: Event, history: History) -> None:
        """A line, if the event is worth one."""
        text = describe(event, metric_that_decides(history, self._metric), _last_split(history))
        if text:
            self.note(text)
        if isinstance(event, Data):
            for line in few_notes(event.summary, self._run):
                self.note(line)

    def show(self, history: History) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """A line."""
        console.line(text)

    def close(self) -> None:
        """Nothing."""


class MovingLine:
    """One line at the bottom that is drawn anew; warnings and results stay above it."""

    def __init__(self, name: str, metric: str, run: str = "RUN") -> None:
        self._name = name
        self._metric = metric
        self._run = run
        self._shown = ""

    def event(self, event: Event, history: History) -> None:
        """Print lines that stay, on data, messages and the end; the moving line has the rest."""
        if isinstance(event, Data | Log | Finished | Stopped):
            self.note(
                describe(event, metric_that_decides(history, self._metric), _last_split(history))
            )
        if isinstance(event, Data):
            for line in few_notes(event.summary, self._run):
                self.note(line)

    def show(self, history: History) -> None:
        """Redraw the line if its text has changed."""
        width = shutil.get_terminal_size().columns - 1
        text = fitting(
            progress_parts(self._name, metric_that_decides(history, self._metric), history), width
        )
        if text != self._shown and not history.ended:
            self._shown = text
            sys.stdout.write(f"\r{text}\x1b[K")
            sys.stdout.flush()

    def note(self, text: str) -> None:
        """A line above."""
        self.close()
        console.line(text)

    def close(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()
        self._shown = ""


def few_notes(summary: Mapping[str, Any], run: str) -> Iterator[str]:
    """Yield the table of the most serious notes on the data, and where the others are."""
    notes = notes_in(summary)
    for line in note_lines(notes[:FEW], console.width() - len(_INDENT)):
        yield _INDENT + line.text
    for text in left_over(notes, run):
        yield _INDENT + text


def describe(event: Event, metric: str, last: str = "") -> str:
    """A sentence about an event; empty for those that only move the bar.

    ``last`` is the split whose metrics the final event has.
    """
    match event:
        case Data():
            rows = ", ".join(f"{n:,} {split}" for split, n in event.summary["rows"].items())
            return f"data: {event.summary['source']}, rows: {rows}"
        case Model():
            return (
                f"model: {event.name}, {amount(event.parameters)} parameters, "
                f"{amount(event.trainable)} trained, {event.steps:,} updates"
            )
        case Evaluated() if event.split == "validation":
            parts = [f"epoch {event.epoch:g}", f"training loss {number(event.train_loss)}"]
            if event.step == 0:
                parts = ["before training"]
            best = " (best)" if event.best else ""
            return ", ".join([*parts, *_metrics(event.metrics, metric, event.split)]) + best
        case Log():
            return event.message if event.level == "info" else f"{event.level}: {event.message}"
        case Finished():
            reason = "" if event.reason == "completed" else f" by {event.reason}"
            after = f"finished{reason} after {duration(event.seconds)}"
            return ", ".join([after, *_metrics(event.metrics, metric, last)])
        case Stopped():
            after = f"stopped after {duration(event.seconds)}"
            return ", ".join([after, *_metrics(event.metrics, metric, last)])
    return ""


def _last_split(history: History) -> str:
    """Return the split of the metrics with which the run ended."""
    if "test" in history.final:
        return "test"
    return "validation" if history.evaluations else ""


def _metrics(metrics: dict[str, float | None], metric: str, split: str) -> Iterator[str]:
    """The loss and the metric that decides, the first of them with their split."""
    for name in dict.fromkeys(("loss", metric)):
        if name in metrics:
            yield f"{split} {name} {number(metrics[name])}".lstrip()
            split = ""


def progress_parts(name: str, metric: str, history: History) -> Iterator[str]:
    """The parts of the moving line, the most important first."""
    yield name
    progress = history.progress
    if progress is None or history.prepared is not None:
        yield preparing(history)
        return
    done = progress.step / max(1, progress.steps)
    yield f"epoch {min(int(progress.epoch) + 1, progress.epochs)}/{progress.epochs}"
    yield f"{bar(done)} {percent(done):>4}"
    if (left := seconds_left(history)) is not None and left >= 1:
        yield f"{duration(left)} left"
    if progress.phase != "train":
        share = f", {percent(progress.share)}" if progress.share else ""
        yield f"{phase_name(progress.phase).lower()}{share}"
    loss = history.curve("loss", "train").last
    yield f"loss {number(loss)}"
    value = history.curve(metric, "validation").last
    if value is not None:
        yield f"{metric} {number(value)}"
    if progress.samples_per_second:
        yield f"{amount(progress.samples_per_second)}/s"


def bar(share: float) -> str:
    """A bar of progress, in plain characters where the stream has no others."""
    full, empty = (
        ("█", "░") if (sys.stdout.encoding or "").lower().startswith("utf") else ("#", "-")
    )
    cells = round(min(1.0, share) * _BAR_CELLS)
    return full * cells + empty * (_BAR_CELLS - cells)


def fitting(parts: Iterator[str], width: int) -> str:
    """Join the parts that fit into ``width``, with two spaces between them."""
    text = ""
    for part in parts:
        longer = f"{text}  {plain(part)}" if text else plain(part)
        if len(longer) > width:
            break
        text = longer
    return text
