"""Notes on images whose values are of another kind than those of the training images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pyarrow as pa

from engine.data.image_levels import Depth, usual_white
from engine.data.images import look, ranges_in
from engine.data.raw import TRAIN, RawData
from engine.reports.note import Note
from engine.vision.annotated_fitted import AnnotatedFitted
from engine.vision.files.column import images_of
from engine.vision.fitted import PixelFitted
from engine.vision.fitting import spread

_LOOKED_AT = 500
"""Images that stand for all."""
_DARK = 1 / 8
"""Share of white that images of another scale stay below: 12 in 16 bits do."""
_KINDS: Mapping[Depth, str] = {
    "integer": "images of more than eight bits", "floating": "images in floating point",
}  # fmt: skip


def notes_on_splits(raw: RawData, fitted: PixelFitted | AnnotatedFitted) -> Iterator[Note]:
    """Yield :func:`notes_on_depths` of the splits that are not trained on."""
    for split, table in raw.splits.items():
        for note in notes_on_depths(table, fitted) if split != TRAIN else ():
            yield replace(note, why=f"{split}: {note.why}", column=split)


def notes_on_depths(table: pa.Table, fitted: PixelFitted | AnnotatedFitted) -> Iterator[Note]:
    """Yield a note on each kind of values that the training images did not give a scale."""
    if fitted.levels is None or fitted.image not in table.column_names:
        return
    images = images_of(table, fitted.image)
    some = [images[row] for row in spread(len(images), _LOOKED_AT)]
    found = look(some, fitted.size)
    count = sum(found.sizes.values())
    seen = fitted.depths
    for depth, held in ranges_in([some[row] for row in found.deep]).items():
        note = _of_many_bits(depth, held, fitted.levels.scale(depth), not seen or depth in seen)
        yield from [replace(note, column=fitted.image)] if note else []
    if seen and "" not in seen and len(found.deep) < count:
        why = "images of eight bits have 255 as white; all training images have more bits"
        yield Note(why, fitted.image, rows=count - len(found.deep))
    if fitted.channels == 1 and found.coloured:
        why = "images in colour are read as grey, as the training images are"
        yield Note(why, fitted.image, rows=found.coloured, kind="converted")


def _of_many_bits(
    depth: Depth, held: tuple[float, float], scale: tuple[float, float], is_known: bool
) -> Note | None:
    """Return a note on values that are not of the training images' scale, or had none there."""
    (lowest, highest), (black, white) = held, scale
    read = f"read with {black:,g} as black and {white:,g} as white"
    why = f"{_KINDS[depth]}, with values from {lowest:,g} to {highest:,g}, are {read}"
    if not is_known:
        why += "; no training image was of that kind"
    if lowest < black or highest > white:
        return Note(f"{why}: what lies beyond is black or white")
    if usual_white(highest, depth) <= _DARK * white:
        return Note(f"{why}: they are dark, as if their scale were another one")
    return None if is_known else Note(why, kind="converted")
