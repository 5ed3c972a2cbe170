"""The estimated cost of a run, in a few lines that are always visible."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from textual import on
from textual.content import Content
from textual.message import Message

from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.reports.estimate import Estimate
from engine.reports.speed import Speed
from engine.runs.speed import timed_settings
from tui.format.known_at_once import length_of, needs_in_words, problems_of
from tui.format.numbers import amount, size
from tui.format.run_time import run_time
from tui.format.text import literal
from tui.terminal.key_names import key_of
from tui.widgets.few_lines import FewLines
from tui.widgets.notify import complain
from tui.widgets.question import Answered, Ask, Question

Measure = Callable[[RunConfig, Callable[[int], object], threading.Event], Speed | None]
"""A function like :func:`engine.launch.measure.measure_speed`."""

Settled = Callable[[Mapping[str, str]], Awaitable[None]]

_AWAITED = "estimating parameters, memory and time …"
_COLORS = {"fits": "$text-success", "tight": "$text-warning", "does not fit": "$text-error"}


class EstimateBar(FewLines):
    """Requests an estimate from the advisor whenever the values change; measures the speed.

    What is known without it is shown until it comes.
    """

    @dataclass
    class _Measuring(Message):
        """The measurement has made updates."""

        updates: int

    @dataclass
    class _Measured(Message):
        """The speed of some settings; an error; or ``None`` where it was cancelled."""

        settings: dict[str, Any]
        speed: Speed | UserError | OSError | None

    def __init__(self, ask: Ask, measure: Measure, settled: Settled) -> None:
        """``settled`` is called with the values that automatic fields come to."""
        super().__init__(literal(_AWAITED).stylize("$text-muted"))
        self._question = Question(self, ask, "estimate")
        self._measure = measure
        self._settled = settled
        self._config: RunConfig | None = None
        self._estimate: Estimate | None = None
        self._problem = ""
        """Reason why there is no estimate."""
        self._rows = 0
        """Training rows; 0 while the data is not read."""
        self._needs = ""
        self._missing: list[str] = []
        """Sentences on extras that are not installed."""
        self._speed: tuple[dict[str, Any], Speed] | None = None
        """The newest measurement, with the settings that it holds for."""
        self._cancel: threading.Event | None = None
        """Ends the measurement that is under way."""
        self._updates = 0

    def show(self, config: RunConfig | None, rows: int = 0) -> None:
        """Estimate another configuration; ``None`` when there is none to estimate.

        ``rows`` are those of the training data, as far as they are known.
        """
        self._config, self._rows = config, rows
        self._estimate, self._problem = None, ""
        self._needs, self._missing = "", []
        if config is None:
            self._question.drop()
            self.say(literal("no estimate until all fields are right").stylize("$text-muted"))
        else:
            self._draw()
            self._question.put(config.values())
            self.run_worker(self._look_up(config), group="known", exclusive=True)

    async def _look_up(self, config: RunConfig) -> None:
        """Find what is missing on this machine; files and packages are looked for in a thread."""
        needs = await asyncio.to_thread(needs_in_words, config)
        missing = await asyncio.to_thread(problems_of, config)
        if config is self._config and (needs or missing):
            self._needs, self._missing = needs, missing
            self._draw()

    def measure(self) -> None:
        """Measure the speed of the configuration, or end the measurement that is under way."""
        if self._cancel is not None:
            self._cancel.set()
            self._draw()
        elif self._config is not None:
            self._cancel = threading.Event()
            self._updates = 0
            work: Callable[[], None] = partial(self._work, self._config, self._cancel)
            self.run_worker(work, thread=True, group="measure", exit_on_error=False)
            self._draw()

    def on_unmount(self) -> None:
        """End the measurement."""
        if self._cancel is not None:
            self._cancel.set()

    def _work(self, config: RunConfig, cancel: threading.Event) -> None:
        """Wait for the measurement, in a thread."""
        speed: Speed | UserError | OSError | None
        try:
            speed = self._measure(config, lambda n: self.post_message(self._Measuring(n)), cancel)
        except (UserError, OSError) as error:
            speed = error
        self.post_message(self._Measured(timed_settings(config), speed))

    @on(_Measuring)
    def _count(self, event: _Measuring) -> None:
        event.stop()
        self._updates = event.updates
        self._draw()

    @on(_Measured)
    def _take(self, event: _Measured) -> None:
        event.stop()
        self._cancel = None
        if isinstance(event.speed, Speed):
            self._speed = event.settings, event.speed
        elif event.speed is not None:
            complain(self, event.speed)
        self._draw()

    def _draw(self) -> None:
        """Show the estimate with the time, or what is known before it comes."""
        lines = [literal(text, 300).stylize("$text-error") for text in self._missing]
        if self._estimate is not None:
            lines += _lines(self._estimate, self._time(self._estimate))
        elif self._problem and self._cancel is None:
            lines.append(literal(self._problem, 400).stylize("$text-error"))
        elif self._config is not None:
            rows = f"{self._rows:,} training rows" if self._rows else ""
            known = " · ".join(filter(None, [rows, length_of(self._config), self._needs]))
            awaited = self._measuring() or _AWAITED
            told = filter(None, [known, awaited])
            lines += [literal(line, 300).stylize("$text-muted") for line in told]
        else:
            return
        self.say(Content("\n").join(lines))

    def _measuring(self) -> str:
        """Return how far the measurement is; empty where there is none."""
        if self._cancel is None:
            return ""
        if self._cancel.is_set():
            return "ending the measurement …"
        so_far = f"{self._updates:,} updates" if self._updates else "starting"
        return f"measuring the time: {so_far} … {key_of(self.app, 'measure')} ends it"

    def _time(self, estimate: Estimate) -> str:
        """Return the time of the run in words: measured here, of like runs, or unknown."""
        if self._cancel is not None:
            return self._measuring()
        if self._speed is not None and self._config is not None:
            settings, speed = self._speed
            if settings == timed_settings(self._config):
                estimate = replace(estimate, speed=speed)
        known = run_time(estimate)
        return known or f"time unknown, {key_of(self.app, 'measure')} measures it"

    @on(Answered)
    async def _answered(self, event: Answered) -> None:
        event.stop()
        if not self._question.newest(event):
            return
        settled: tuple[str, ...] = ()
        if isinstance(event.answer, UserError):
            self._problem = str(event.answer)
        else:
            self._estimate = Estimate.from_record(event.answer)
            settled = self._estimate.settled
        await self._settled(dict(text.split("=", 1) for text in settled))
        self._draw()


def _lines(estimate: Estimate, time: str) -> Iterator[Content]:
    sizes = f"{amount(estimate.parameters)} parameters"
    if estimate.trainable != estimate.parameters:
        sizes += f", {amount(estimate.trainable)} trained ({estimate.percent:.2g} %)"
    yield literal(
        f"{sizes} · {estimate.samples:,} samples · {estimate.steps:,} steps,"
        f" {estimate.steps_per_epoch:,} an epoch"
    )
    where = literal(f"{estimate.device} {estimate.precision} · ")
    cost = _memory(estimate) + _download(estimate) + literal(f" · {time}")
    yield where + cost + literal(_rest(estimate), 400)


def _memory(estimate: Estimate) -> Content:
    used = f"{size(estimate.memory.total)} of {size(estimate.available)} memory: "
    return literal(used) + literal(estimate.verdict).stylize(_COLORS[estimate.verdict])


def _download(estimate: Estimate) -> Content:
    if not estimate.download:
        return Content("")
    return Content.styled(f" · {size(estimate.download)} to download", "$text-warning")


def _rest(estimate: Estimate) -> str:
    parts = [f"{size(estimate.disk)} on disk"]
    if estimate.adapter:
        parts.insert(0, f"adapter {size(estimate.adapter)}")
    if estimate.verdict != "fits":
        parts.insert(0, f"largest batch {estimate.largest_batch}")
    return "".join(f" · {part}" for part in [*parts, *estimate.notes])
