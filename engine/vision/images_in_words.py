"""Sentences on how a program has to prepare an image before the network gets it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.data.image_levels import Levels

WHOLE = "the whole of an image, stretched"


def images_in_words(
    part: str,
    channels: int,
    size: int,
    normalization: tuple[Sequence[float], Sequence[float]],
    levels: Levels | None,
) -> str:
    """Return the sentences; ``part`` is what is taken of an image."""
    return " ".join(_sentences(part, channels, size, normalization, levels))


def _sentences(
    part: str,
    channels: int,
    size: int,
    normalization: tuple[Sequence[float], Sequence[float]],
    levels: Levels | None,
) -> Iterator[str]:
    colours = "grey" if channels == 1 else "red, green and blue"
    mean, std = (", ".join(f"{one:.4f}" for one in values) for values in normalization)
    yield f"It reads {part} to {size}×{size} px:"
    yield f"{colours} from 0 (black) to 1 (white), less {mean}, divided by {std}."
    if levels and levels.exact:
        (black, white), (low, high) = levels.integer, levels.floating
        yield f"In images of more than eight bits {black:,g} is black and {white:,g} is white, in"
        yield f"those in floating point {low:,g} and {high:,g}; image processors of transformers,"
        yield "which take bytes, do not scale them so."
