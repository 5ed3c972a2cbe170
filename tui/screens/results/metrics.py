"""The table of metrics: each split beside the base model and the baseline, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from textual.content import Content

from tui.format.captions import captioned
from tui.format.run_facts import BASE, INTERVAL, intervals_of, numbers_of, with_intervals
from tui.format.text import literal

_MUTED = "$foreground 60%"
_ROOMY = 1000
_METRIC, _LONG_METRIC = 16, 28
"""Cells of the name of a metric, and of a long one."""
_NARROWEST = 12
"""Cells of a column of numbers."""
_WIDEST = 64
_LONGEST = 500
"""Characters of a sentence."""


def metric_lines(report: Mapping[str, Any], width: int = _ROOMY) -> Iterator[Content]:
    """Yield a row a metric, a column a split, base model and baseline last; the deciding metric in
    bold. Intervals of 95 % are a column if ``width`` has room for it, else a passage below.
    Sentences on further baselines follow.
    """
    columns = _columns(report)
    split, intervals = intervals_of(report)
    whole = with_intervals(columns, split, intervals)
    name_width = _name_width(name for metrics in whole.values() for name in metrics)
    roomy = name_width + sum(_width(name, column) for name, column in whole.items()) <= width
    columns = whole if roomy else columns
    widths = _fitting([_width(*column) for column in columns.items()], width - name_width)
    headings = [
        literal(name, width - 2).pad_left(width - min(len(name), width - 2))
        for name, width in zip(columns, widths, strict=True)
    ]
    yield Content(" " * name_width).stylize(_MUTED) + Content("").join(headings).stylize(_MUTED)
    for metric in dict.fromkeys(name for metrics in columns.values() for name in metrics):
        values = [
            f"{metrics.get(metric, '–'):>{width}}"
            for metrics, width in zip(columns.values(), widths, strict=True)
        ]
        style = "bold $success" if metric == report.get("metric") else ""
        caption = literal(f"{metric:<{name_width}}", name_width)
        yield (caption + Content("".join(values))).stylize(style)
    if intervals and not roomy:
        passage = ", ".join(f"{name} {text}" for name, text in intervals.items())
        yield Content("")
        yield from literal(f"{INTERVAL}s of {split}: {passage}", 500).wrap(max(20, width))
    for other in report.get("baselines") or []:
        if other.get("verdict") is None or other["verdict"] != report.get("verdict"):
            yield literal(_sentence(other), _LONGEST).stylize(_MUTED)


def _name_width(names: Iterable[str]) -> int:
    """Return the cells of the first column: a blank behind the longest name of a metric."""
    longest = max(map(len, names), default=0) + 1
    return max(_METRIC, min(_LONG_METRIC, longest))


def _sentence(baseline: Mapping[str, Any]) -> str:
    """Return what is known of a further baseline: its verdict, or why there is none."""
    if verdict := baseline.get("verdict"):
        return str(verdict["text"])
    if missing := baseline.get("missing"):
        return f"No result of {baseline['name']}: {missing}"
    advice = f" {baseline['advice']}" if baseline.get("advice") else ""
    return f"Too few rows or windows for a verdict: {baseline['name']}.{advice}"


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
    return max(_NARROWEST, min(_WIDEST, longest + 2))


def _fitting(widths: Sequence[int], room: int) -> list[int]:
    """Return the widths; the widest is that of a long name, which is cut where there is no room."""
    widest = max(widths, default=0)
    cut = max(_NARROWEST, widest - max(0, sum(widths) - room))
    return [cut if width == widest else width for width in widths]


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
        width = _name_width(known)
        for name in known:
            yield captioned(name, literal(meanings[name]), width, width, gap=" ")
        yield Content("")


def _metric_names(report: Mapping[str, Any]) -> dict[str, None]:
    splits = (report.get("metrics") or {}).values()
    return dict.fromkeys(name for metrics in splits for name in metrics)
