"""Sentences on a finished run: better than its base model and its baselines or not, how much it
forgot, and which part of an ensemble is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tui.format.numbers import number

OUTCOMES = {"better": "$text-success", "worse": "$text-error", "open": "$text-warning"}
"""Colours of the outcomes of a verdict."""
_NOTICEABLE = 0.01
"""Relative change of the loss that is called one."""


def verdict(report: Mapping[str, Any]) -> dict[str, str]:
    """Return sentences by their names, where the base model was evaluated or members of an ensemble
    were removed."""
    pruning = str(report.get("pruning") or "")
    return dict(_sentences(report)) | ({"ensemble": pruning} if pruning else {})


def judged(report: Mapping[str, Any]) -> dict[str, str]:
    """Return sentences by their names: on the network and its hardest baseline, where there is
    one, and on baselines that have no result."""
    found = report.get("verdict")
    return ({"verdict": f"{found['text']}{how_to_export(report)}"} if found else {}) | {
        str(other["name"]): f"no result: {other['missing']}"
        for other in report.get("baselines") or []
        if other.get("missing")
    }


def how_to_export(report: Mapping[str, Any]) -> str:
    """Return a sentence, after a blank, on a baseline that can be exported and is not beaten; else
    an empty text."""
    found, baseline = report.get("verdict") or {}, report.get("baseline") or {}
    form = baseline.get("export")
    unbeaten = found.get("outcome") in ("worse", "open")
    if not form or not unbeaten or found.get("baseline") != baseline.get("name"):
        return ""
    return f" `dltui export {report.get('run', 'RUN')} --{form}` writes {baseline['name']}."


def _sentences(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    base = report.get("base")
    if base is None:
        return
    metric, split = report.get("metric", ""), base["split"]
    before = base["metrics"].get(metric)
    after = (report.get("metrics") or {}).get(split, {}).get(metric)
    word = "improved on" if base["improved"] else "not improved on"
    yield "base model", f"{word}: {metric} from {number(before)} to {number(after)} on {split}"
    earlier = (base["forgetting"] or {}).get("loss")
    later = (report["forgetting"] or {}).get("loss")
    if earlier is not None and later is not None:
        yield "forgetting", _forgetting(earlier, later)


def _forgetting(before: float, after: float) -> str:
    """Return how the loss on a text of another kind changed."""
    change = after - before
    word = "hardly any"
    if abs(change) > _NOTICEABLE * abs(before):
        word = f"{abs(change):.2g} nats {'lost' if change > 0 else 'gained'}"
    return f"{word}: loss from {number(before)} to {number(after)} on other text"
