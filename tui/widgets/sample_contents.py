"""A few inputs with a network's outputs, images among them beside their texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from textual.content import Content
from textual.css.types import TextAlign, TextOverflow
from typing_extensions import override

from engine.reports.picture import Picture, read_pictures
from engine.reports.side_by_side import items_beside
from engine.runs.events import Samples
from tui.charts.pictures import Drawing
from tui.widgets.run_panels import pair

_MUTED = "$foreground 60%"


def samples(
    shown: Sequence[Samples],
    untrained: Samples | None = None,
    back: int = 0,
    pictures: Sequence[Picture] = (),
    side: int = 0,
    drawing: Drawing = Drawing(),  # noqa: B008 — it is frozen
    ended: bool = False,
) -> list[Content]:
    """Return a few inputs with the network's outputs, beside those of the base model if known.

    ``back`` counts from the newest. ``pictures`` of the inputs, in order, stand to the left,
    ``side`` cells wide; 0 leaves them out. Those of outputs stand before the true ones, twice
    as wide and above the texts.
    """
    if not shown:
        coming = "Samples come with the first evaluation."
        return [Content.styled("This run has no samples." if ended else coming, _MUTED)]
    event = shown[-1 - back]
    place = "the newest" if not back else f"{back} before the newest"
    more = ",  left and right show others" if len(shown) > 1 else ""
    lines = [Content.styled(f"at step {event.step:,}, {place}{more}", _MUTED), Content("")]
    earlier = untrained.items if untrained is not None and event.step > untrained.step else ()
    outputs = read_pictures(event.pictures) if side else []
    if outputs:
        lines.insert(1, Content.styled("on the left predicted, beside it the truth", _MUTED))
    items = items_beside(event.items, earlier)
    for item, picture, output in zip_longest(items, pictures, outputs):
        if item is None:
            break
        texts = [pair(name, text, 2000) for name, text in item.items()]
        known = [
            one
            for one in (output, picture)
            if side and one is not None and one.name == item.get("image")
        ]
        if outputs:
            lines += [*side_by_side(known, 2 * side, drawing), *texts]
        else:
            lines += [BesidePicture(known[0], texts, side, drawing)] if known else texts
        lines.append(Content(""))
    return lines


def side_by_side(pictures: Sequence[Picture], side: int, drawing: Drawing) -> list[Content]:
    """Return lines with pictures beside each other, each ``side`` cells wide.

    Places of objects make long texts, which would be folded between them.
    """
    drawn = [drawing.lines(picture, side) for picture in pictures]
    return [Content("  ").join(row) for row in zip(*drawn, strict=False)]


class BesidePicture(Content):
    """Texts to the right of a picture ``side`` cells wide, and wrapped there."""

    __slots__ = ("_drawn", "_side", "_texts")

    def __init__(
        self, picture: Picture, texts: Sequence[Content], side: int, drawing: Drawing
    ) -> None:
        self._drawn, self._texts, self._side = drawing.lines(picture, side), texts, side
        whole = Content("\n").join(self._rows(texts))
        super().__init__(whole.plain, list(whole.spans), strip_control_codes=False)

    def _rows(self, texts: Sequence[Content]) -> list[Content]:
        empty = Content(" " * self._side)
        return [
            (left or empty) + "  " + (text or "") for left, text in zip_longest(self._drawn, texts)
        ]

    @override
    def wrap(
        self, width: int, *, align: TextAlign = "left", overflow: TextOverflow = "fold"
    ) -> list[Content]:
        room = max(1, width - self._side - 2)
        parts = (text.wrap(room, align=align, overflow=overflow) for text in self._texts)
        return self._rows([part for one in parts for part in one])
