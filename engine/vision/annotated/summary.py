"""The summary of a data set with images and masks or boxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.config.run_config import RunConfig
from engine.data.raw import RawData
from engine.files.sanitize import plain
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.text.summary import summary_of
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.depths import notes_on_splits
from engine.vision.files.column import images_of
from engine.vision.summary import pixel_facts


def annotated_summary(
    config: RunConfig,
    raw: RawData,
    fitted: AnnotatedFitted,
    target: ColumnSummary,
    facts: Mapping[str, str],
) -> DataSummary:
    """Columns, the classes by how many objects or masks have them, sizes, and further facts."""
    hidden = [fitted.image, target.name]  # whose bytes would be written out as examples
    others = raw.with_splits(
        {split: table.drop_columns(hidden) for split, table in raw.splits.items()}
    )
    classes = dict(zip(fitted.classes, fitted.counts, strict=True))
    summary = summary_of(config, others, {}, pixel_facts(fitted) | dict(facts), classes)
    name = images_of(raw.train.slice(0, 1), fitted.image).names()[0]
    image = ColumnSummary(fitted.image, "image", "image", example=plain(name, 80))
    rows = {split: table.num_rows for split, table in raw.splits.items()}
    notes = (*summary.notes, *notes_on_splits(raw, fitted))
    columns = (image, target, *summary.columns)
    return replace(summary, rows=rows, columns=columns, notes=notes)
