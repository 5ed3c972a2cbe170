"""A few inputs with a network's outputs, images among them beside their texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from textual.content import Content

from engine.reports.picture import Picture
from engine.reports.side_by_side import items_beside
from engine.runs.events import Samples
from tui.charts.half_blocks import picture_lines
from tui.widgets.run_panels import pair

_MUTED = "$foreground 60%"


def samples(
    shown: Sequence[Samples],
    untrained: Samples | None = None,
    back: int = 0,
    pictures: Sequence[Picture] = (),
    side: int = 0,
) -> list[Content]:
    """Return a few inputs with the network's outputs, beside those of the base model if known.

    ``back`` counts from the newest. ``pictures`` of the inputs, in order, stand to the left,
    ``side`` cells wide; 0 leaves them out.
    """
    if not shown:
        return [Content.styled("Samples come with the first evaluation.", _MUTED)]
    event = shown[-1 - back]
    place = "the newest" if not back else f"{back} before the newest"
    more = ",  ← → show others" if len(shown) > 1 else ""
    lines = [Content.styled(f"at step {event.step:,}, {place}{more}", _MUTED), Content("")]
    earlier = untrained.items if untrained is not None and event.step > untrained.step else ()
    for item, picture in zip_longest(items_beside(event.items, earlier), pictures):
        if item is None:
            break
        texts = [pair(name, text, 2000) for name, text in item.items()]
        known = picture is not None and picture.name == item.get("image")
        lines += beside_picture(picture, texts, side) if known and side else texts
        lines.append(Content(""))
    return lines


def beside_picture(picture: Picture, texts: Sequence[Content], side: int) -> list[Content]:
    """Return lines of text to the right of a picture ``side`` cells wide."""
    drawn = picture_lines(picture, side)
    both = zip_longest(drawn, texts)
    return [(left or Content(" " * side)) + Content("  ") + (text or "") for left, text in both]
