"""Summary of one or many series: frequency, span, season, columns."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from engine.config.tasks.forecasting import ForecastingConfig
from engine.data.raw import RawData
from engine.data.series.splits import own_rows, series_note
from engine.files.sanitize import plain
from engine.pipelines.series.fitted import SeriesFitted, frequency_of
from engine.pipelines.series.many_series import count_windows, series_facts
from engine.pipelines.series.notes import band_notes, season_notes
from engine.reports.data_summary import ColumnSummary, DataSummary


def summarize_series(
    raw: RawData, fitted: SeriesFitted, section: ForecastingConfig, source: str
) -> DataSummary:
    """Summarise frequency, span, season and repairs."""
    rows = {name: own_rows(table) for name, table in raw.splits.items()}
    return DataSummary(
        source=source,
        rows=rows,
        columns=_columns(raw.train, fitted),
        facts=_facts(raw, fitted, section),
        notes=(
            *raw.notes,
            *season_notes(fitted.season, section),
            *band_notes(raw, section),
        ),
        skips=tuple(
            {"reason": skip.reason, "count": skip.count, "example": skip.example}
            for skip in raw.skips
        ),
    )


def _facts(raw: RawData, fitted: SeriesFitted, section: ForecastingConfig) -> dict[str, str]:
    frequency = frequency_of(fitted)
    windows = ((name, _windows(table, section)) for name, table in raw.splits.items())
    facts = {
        "frequency": frequency.name + ("" if frequency.regular else " (median; irregular)"),
        "season": f"{fitted.season:,} rows" if fitted.season > 1 else "none found",
        **series_facts(raw.train),
        "windows": ", ".join(f"{name} {count:,}" for name, count in windows),
        "window → horizon": f"{section.window:,} → {section.horizon:,} rows",
    }
    if fitted.time:
        times = [_span(table, fitted) for table in raw.splits.values() if table.num_rows]
        facts["from"], facts["to"] = times[0][0], times[-1][1]
    return facts


def _span(table: pa.Table, fitted: SeriesFitted) -> tuple[str, str]:
    ends = pc.min_max(table[fitted.time].cast("int64"))
    text = frequency_of(fitted).text
    return text(ends["min"].as_py()), text(ends["max"].as_py())


def _windows(table: pa.Table, section: ForecastingConfig) -> int:
    if series_note(table).roles.series:
        return count_windows(table, section.window, section.horizon, section.stride)
    rows: int = table.num_rows
    return max(0, (rows - section.window - section.horizon) // section.stride + 1)


def _columns(table: pa.Table, fitted: SeriesFitted) -> tuple[ColumnSummary, ...]:
    columns = []
    if fitted.time:
        dated = frequency_of(fitted).dated
        example = _span(table, fitted)[0]
        kind = "date" if dated else "numeric"
        columns.append(ColumnSummary(fitted.time, kind, "time", example=example))
    for name in fitted.series:
        example = plain(str(table[name][0].as_py()), 40)
        columns.append(ColumnSummary(name, "categorical", "series", example=example))
    for name in (*fitted.targets, *fitted.inputs, *fitted.known):
        role = "target" if name in fitted.targets else "input"
        role = "known ahead" if name in fitted.known else role
        example = f"{table[name][0].as_py():.6g}"
        columns.append(ColumnSummary(name, "numeric", role, example=example))
    columns += [
        ColumnSummary(name, "categorical", "known ahead", example=plain(categories[-1], 40))
        for name, categories in fitted.categories.items()
    ]
    for static in fitted.static:
        kind = "categorical" if static.categories else "numeric"
        example = plain(str(table[static.name][0].as_py()), 40)
        columns.append(ColumnSummary(static.name, kind, "static", example=example))
    return tuple(columns)
