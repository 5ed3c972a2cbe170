"""The estimated cost of a run, in two lines that are always visible."""

from __future__ import annotations

from collections.abc import Iterator

from textual import on
from textual.content import Content
from textual.widgets import Static

from engine.config.overrides import Tree
from engine.errors import UserError
from engine.reports.estimate import Estimate
from tui.format.numbers import amount, size
from tui.format.text import literal
from tui.widgets.question import Answered, Ask, Question

_COLORS = {"fits": "$text-success", "tight": "$text-warning", "does not fit": "$text-error"}


class EstimateBar(Static):
    """Requests an estimate from the advisor whenever the values change."""

    def __init__(self, ask: Ask) -> None:
        super().__init__(Content("…"))
        self._question = Question(self, ask, "estimate")

    def show(self, values: Tree | None) -> None:
        """Estimate another configuration; ``None`` when there is none to estimate."""
        if values is None:
            self._question.drop()
            self._say(literal("no estimate until all fields are right").stylize("$text-muted"))
        else:
            self._say(literal("estimating size and memory …").stylize("$text-muted"))
            self._question.put(values)

    def _say(self, text: Content) -> None:
        self.update(text, layout=False)

    @on(Answered)
    def _answered(self, event: Answered) -> None:
        event.stop()
        if not self._question.newest(event):
            return
        if isinstance(event.answer, UserError):
            self._say(literal(event.answer, 400).stylize("$text-error"))
        else:
            self._say(Content("\n").join(_lines(Estimate.from_record(event.answer))))


def _lines(estimate: Estimate) -> Iterator[Content]:
    sizes = f"{amount(estimate.parameters)} parameters"
    if estimate.trainable != estimate.parameters:
        sizes += f", {amount(estimate.trainable)} trained ({estimate.percent:.2g} %)"
    yield literal(
        f"{sizes} · {estimate.samples:,} samples · {estimate.steps:,} steps,"
        f" {estimate.steps_per_epoch:,} an epoch"
    )
    where = literal(f"{estimate.device} {estimate.precision} · ")
    yield where + _memory(estimate) + _download(estimate) + literal(_rest(estimate), 400)


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
