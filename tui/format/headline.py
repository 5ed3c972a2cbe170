"""The first sentence on a finished run: better than what it is compared with or not, and
whether it overfitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from textual.content import Content

from engine.runs.diagnosis import diagnose
from engine.runs.events import Failed
from engine.runs.history import History
from tui.format.numbers import number
from tui.format.text import literal
from tui.format.verdict import OUTCOMES, how_to_export

_MUTED = "$foreground 60%"
_SENTENCE = 500
_FEW = 3
"""Evaluations from which on overfitting cannot be told, see :func:`diagnose`."""
_OVERFITTING = "overfitting"


def headline(report: Mapping[str, Any], history: History) -> Iterator[Content]:
    """Yield a sentence each, in the colour of what it says."""
    if isinstance(history.ending, Failed):
        yield literal(f"Failed: {history.ending.message}", _SENTENCE).stylize("$text-error")
    if report.get("metrics"):
        yield _comparison(report)
    yield from _fit(report, history)


def _comparison(report: Mapping[str, Any]) -> Content:
    judgement, base, baseline = (report.get(name) for name in ("verdict", "base", "baseline"))
    if judgement:
        style = OUTCOMES.get(str(judgement.get("outcome")), "")
        text = str(judgement.get("text", "")) + how_to_export(report)
        return literal(text, _SENTENCE).stylize(style)
    if base:
        return _beside_base(report, base)
    if baseline and (text := _beside_baseline(report, baseline)):
        return literal(text, _SENTENCE).stylize(OUTCOMES["open"])
    return Content.styled("No baseline to compare with.", _MUTED)


def _beside_base(report: Mapping[str, Any], base: Mapping[str, Any]) -> Content:
    metric, split = report.get("metric", ""), base["split"]
    before = base["metrics"].get(metric)
    after = (report.get("metrics") or {}).get(split, {}).get(metric)
    word, outcome = ("Better", "better") if base["improved"] else ("Not better", "worse")
    change = f"{metric} from {number(before)} to {number(after)} on {split}"
    return literal(f"{word} than the base model: {change}.", _SENTENCE).stylize(OUTCOMES[outcome])


def _beside_baseline(report: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """Return the values side by side where the difference was not tested; empty without any."""
    metric, known = str(report.get("metric", "")), report["metrics"]
    split = "test" if "test" in known else next(iter(known))
    own, other = known[split].get(metric), (baseline.get("metrics") or {}).get(metric)
    if own is None or other is None:
        return ""
    sides = f"{metric} {number(own)} on {split}, {number(other)} there"
    return f"The difference from {baseline.get('name', '')} was not tested: {sides}."


def _fit(report: Mapping[str, Any], history: History) -> Iterator[Content]:
    """Yield whether the training overfitted, and which weights are kept."""
    warning = diagnose(history.evaluations)
    if warning:
        text = warning[0].upper() + warning[1:] + "."
        best = report.get("best_epoch")
        if warning.startswith(_OVERFITTING) and best is not None:
            text += f" The model has the weights of epoch {best:.3g}."
        yield literal(text, _SENTENCE).stylize("$text-warning")
    elif history.evaluations:
        enough = len(history.evaluations) > _FEW
        text = "No overfitting" if enough else "Too few evaluations to see overfitting"
        yield Content.styled(f"{text}.", _MUTED)
