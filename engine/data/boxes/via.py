"""Shapes of VIA, the VGG Image Annotator: a JSON file, or a CSV file with a shape a row.

Format: https://www.robots.ox.ac.uk/~vgg/software/via/.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.data.boxes.records import Tally
from engine.data.boxes.shapes import (
    Marked,
    Points,
    Shape,
    document_of,
    ellipse,
    numbers_of,
    points_of,
)
from engine.files import safe_json

_SHAPE, _CLASS = "region_shape_attributes", "region_attributes"
_NAMES = ("class", "label", "name", "type", "category", "object")
"""Attributes that name a class, the likeliest first."""
_LARGEST = 1 << 29
"""Bytes of a table of shapes."""


def is_via_table(path: Path) -> bool:
    """Whether a CSV file has the columns of VIA."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _is_header(_header(csv.reader(file)))
    except (OSError, ValueError, csv.Error):
        return False


def annotations_in(path: Path) -> Any:
    """Return the content of a JSON file, or of VIA's CSV as its JSON has it; else ``None``."""
    return _table(path) if path.suffix.lower() == ".csv" else document_of(path)


def via_images(content: Any, tally: Tally) -> Iterator[Marked]:
    """Yield the images of VIA's JSON with their shapes; none where it is of something else.

    Shapes without a class have an empty one; those without an area are counted.
    """
    whole = content if isinstance(content, dict) else {}
    project = whole.get("_via_img_metadata", whole)
    for entry in project.values() if isinstance(project, dict) else ():
        if not isinstance(entry, dict) or "filename" not in entry or "regions" not in entry:
            continue
        regions = entry["regions"]
        regions = list(regions.values()) if isinstance(regions, dict) else regions
        name = str(entry["filename"])
        shapes = [
            shape
            for region in (regions if isinstance(regions, list) else ())
            if isinstance(region, dict) and (shape := _shape(region, tally, name))
        ]
        yield Marked(name, "", (None, None), shapes)


def _shape(region: Mapping[str, Any], tally: Tally, image: str) -> Shape | None:
    place = region.get("shape_attributes") or {}
    points = _points(place) if isinstance(place, dict) else []
    if len(points) < 3:
        tally.add("a point or a line has no box", image)
        return None
    return Shape(_label(region.get("region_attributes")), points, place.get("name") == "rect")


def _points(place: Mapping[str, Any]) -> Points:
    if place.get("name") == "rect":
        x, y, width, height = numbers_of(place, ("x", "y", "width", "height"))
        return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]
    if "cx" in place:
        x, y = numbers_of(place, ("cx", "cy"))
        across, down = numbers_of(place, ("rx", "ry") if "rx" in place else ("r", "r"))
        [angle] = numbers_of(place, ("theta",)) if "theta" in place else [0.0]
        return ellipse((x, y), across, down, math.degrees(angle))
    xs, ys = place.get("all_points_x"), place.get("all_points_y")
    if place.get("name") != "polygon" or not isinstance(xs, list) or not isinstance(ys, list):
        return []
    return points_of(list(zip(xs, ys, strict=False)))


def _label(attributes: Any) -> str:
    """Return the class of a region: of the attribute that is called so, else of the first one."""
    if not isinstance(attributes, dict) or not attributes:
        return ""
    lower = {str(name).lower(): value for name, value in reversed(attributes.items())}
    value = next((lower[name] for name in _NAMES if name in lower), next(iter(attributes.values())))
    if isinstance(value, dict):  # a box that was ticked for each class
        value = next((name for name, ticked in value.items() if ticked), "")
    return str(value).strip()


def _table(path: Path) -> dict[str, Any] | None:
    """Return the rows of a CSV file as the JSON of VIA; ``None`` where they are not VIA's."""
    try:
        if path.stat().st_size > _LARGEST:
            return None
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = _header(rows)
            if not _is_header(header):
                return None
            return _entries(dict(zip(header, row, strict=False)) for row in rows)
    except (OSError, ValueError, csv.Error):
        return None


def _header(rows: Iterator[list[str]]) -> list[str]:
    return [name.strip().lstrip("#") for name in next(rows, [])]


def _is_header(names: Sequence[str]) -> bool:
    return {"filename", _SHAPE, _CLASS} <= set(names)


def _entries(rows: Iterator[Mapping[str, str]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for row in rows:
        if not (name := row.get("filename", "")):
            continue
        regions = entries.setdefault(name, {"filename": name, "regions": []})["regions"]
        if place := _object(row.get(_SHAPE, "")):
            regions.append(
                {"shape_attributes": place, "region_attributes": _object(row.get(_CLASS, ""))}
            )
    return entries


def _object(text: str) -> dict[str, Any]:
    try:
        found = safe_json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
