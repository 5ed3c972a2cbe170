"""The summary of a data set with images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.config.run_config import RunConfig
from engine.data.image_levels import Levels
from engine.data.raw import RawData
from engine.files.sanitize import plain
from engine.reports.data_summary import ColumnSummary, DataSummary
from engine.reports.note import Note
from engine.text.classes.labels import joined_note
from engine.text.summary import summary_of
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.depths import notes_on_splits
from engine.vision.files.column import images_of
from engine.vision.fitted import ImageFitted, NumberedFitted, PixelFitted


def image_summary(config: RunConfig, raw: RawData, fitted: ImageFitted) -> DataSummary:
    """Columns, class balance and sizes."""
    facts = pixel_facts(fitted)
    if fitted.multi_label:
        facts["labels"] = f"{sum(fitted.counts) / raw.train.num_rows:.2f} an image on average"
    roles = {fitted.image: "image", fitted.label: "label"}
    classes = dict(zip(fitted.classes, fitted.counts, strict=True))
    summary = summary_of(config, _without(raw, fitted), roles, facts, classes)
    remedy = "several labels of an image are a list in JSON, or a column of 0 and 1 each"
    notes = [] if fitted.multi_label else joined_note(classes, fitted.label, remedy)
    return _with_image(raw, fitted, summary, notes)


def number_summary(config: RunConfig, raw: RawData, fitted: NumberedFitted) -> DataSummary:
    """Columns, range of the numbers and sizes."""
    facts = pixel_facts(fitted) | {
        "target": f"{fitted.lowest:.4g} to {fitted.highest:.4g}, "
        f"mean {fitted.target_mean:.4g}, deviation {fitted.target_std:.4g}"
    }
    roles = {fitted.image: "image", fitted.target: "target"}
    return _with_image(raw, fitted, summary_of(config, _without(raw, fitted), roles, facts))


def _without(raw: RawData, fitted: PixelFitted) -> RawData:
    """Return the rows without their images, which would be written out as examples."""
    return raw.with_splits(
        {split: table.drop_columns([fitted.image]) for split, table in raw.splits.items()}
    )


def _with_image(
    raw: RawData, fitted: PixelFitted, summary: DataSummary, notes: Sequence[Note] = ()
) -> DataSummary:
    """Return a summary with the column of the images, and notes on their kinds of values."""
    first = images_of(raw.train.slice(0, 1), fitted.image).names()[0]
    image = ColumnSummary(fitted.image, "image", "image", example=plain(first, 80))
    all_notes = (*summary.notes, *notes, *notes_on_splits(raw, fitted))
    return replace(summary, columns=(image, *summary.columns), notes=all_notes)


def pixel_facts(fitted: PixelFitted | AnnotatedFitted) -> dict[str, str]:
    """Return what the network sees of the images, and what was found of their files."""
    colour = "grey" if fitted.channels == 1 else "colour"
    facts = {
        "network sees": f"{fitted.size}×{fitted.size} px, {colour}",
        "sizes found": sizes_found(fitted.sizes),
    }
    if fitted.levels and fitted.levels.exact:
        facts["brightness"] = _scales(fitted.levels)
    looked = sum(fitted.sizes.values())
    if fitted.see_through:
        facts["opacity"] = f"{fitted.see_through:,} of {looked:,} images have one, on white"
    if fitted.paged:
        facts["pages"] = f"the first of each image; {fitted.paged:,} of {looked:,} have several"
    return facts


def _scales(levels: Levels) -> str:
    """The values that are black and white, as the training images tell."""
    (black, white), (darkest, brightest) = levels.integer, levels.floating
    return (
        f"{black:,g} is black and {white:,g} is white in images of 16 bits, "
        f"{darkest:,g} and {brightest:,g} in those of floats"
    )


def sizes_found(sizes: dict[str, int]) -> str:
    """Return the most frequent sizes of images with their number."""
    first = ", ".join(f"{size} ({count:,})" for size, count in list(sizes.items())[:3])
    return first + (f" and {len(sizes) - 3:,} more" if len(sizes) > 3 else "")
