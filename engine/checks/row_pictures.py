"""The images of the rows that a finding is about, beside those that they resemble."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from engine.checks.examined import Doubt, Examined
from engine.reports.findings import Finding, FoundRow
from engine.reports.picture import Picture
from engine.vision.files.column import images_of
from engine.vision.pictures import plain_pictures

_SIDE = 32


def with_pictures(finding: Finding, doubt: Doubt, data: Examined) -> Finding:
    """Return a finding whose rows have pictures, where the data is images."""
    if not data.roles.image or not finding.rows:
        return finding
    rows: list[FoundRow] = []
    for split, places in doubt.rows.items():
        found = [row for row in finding.rows if row.split == split]
        own = _pictures(data, [(split, place) for place in places[: len(found)].tolist()])
        others = _pictures(data, list(doubt.twins.get(split, ())[: len(found)]))
        for number, row in enumerate(found):
            both = [*own[number : number + 1], *others[number : number + 1]]
            rows.append(replace(row, pictures=tuple(_captioned(both))))
    return replace(finding, rows=tuple(rows))


def _pictures(data: Examined, rows: list[tuple[str, int]]) -> list[Picture | None]:
    """Return a picture of each row, given as its split and place."""
    by_split: dict[str, list[int]] = defaultdict(list)
    for split, place in rows:
        by_split[split].append(place)
    found: dict[tuple[str, int], Picture | None] = {}
    for split, places in by_split.items():
        images = images_of(data.splits[split], data.roles.image)
        shown = plain_pictures([images[place] for place in places], _SIDE)
        found |= zip(((split, place) for place in places), shown, strict=True)
    return [found[row] for row in rows]


def _captioned(pictures: list[Picture | None]) -> Iterator[Picture]:
    for picture, words in zip(pictures, ("", "like "), strict=False):
        if picture is not None:
            yield replace(picture, caption=f"{words}{picture.name}")
