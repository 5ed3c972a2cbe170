"""Files beside masks that name the classes, each as ``value=name``."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator


def _names(text: str) -> list[str]:
    """A name a line, in the order of mask values."""
    names = [line.strip() for line in text.splitlines() if line.strip()]
    return [f"{value}={name}" for value, name in enumerate(names)]


def _names_of_labelme(text: str) -> list[str]:
    """A name a line; masks have no value for ``__ignore__``, the first name, but 255."""
    return _names("\n".join(line for line in text.splitlines() if line.strip() != "__ignore__"))


def _colours(text: str) -> list[str]:
    """A line such as ``car:255,0,0::`` a class, as CVAT writes them."""
    classes = []
    for line in text.splitlines():
        name, _, rest = line.strip().partition(":")
        if not name or name.startswith("#"):
            continue
        red, green, blue = (int(part) for part in rest.partition(":")[0].split(","))
        classes.append(f"#{red:02x}{green:02x}{blue:02x}={name}")
    return classes


def _table_of_colours(text: str) -> list[str]:
    """A table ``name,r,g,b``, as CamVid has it."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines()) if row]
    colours = [(row[0], *map(int, row[1:4])) for row in rows[1:] if len(row) > 3]
    return [f"#{red:02x}{green:02x}{blue:02x}={name}" for name, red, green, blue in colours]


def _table_of_values(text: str) -> list[str]:
    """A table ``Pixel Value, Class``, as Roboflow writes it."""
    rows: Iterator[list[str]] = csv.reader(text.splitlines()[1:])
    return [f"{int(row[0])}={row[1].strip()}" for row in rows if len(row) > 1]


def _table_of_ade(text: str) -> list[str]:
    """A table with tabs, ``Idx … Name``, of ADE20K; the first of several names of a class."""
    rows = [[cell.strip() for cell in line.split("\t")] for line in text.splitlines() if line]
    names = [(int(row[0]), re.split("[,;]", row[-1])[0]) for row in rows[1:] if len(row) > 1]
    return ["0=other", *(f"{value}={name}" for value, name in names)]


CLASS_FILES: dict[str, Callable[[str], list[str]]] = {
    "classes.txt": _names, "class_names.txt": _names_of_labelme, "labelmap.txt": _colours,
    "class_dict.csv": _table_of_colours, "_classes.csv": _table_of_values,
    "objectinfo150.txt": _table_of_ade,
}  # fmt: skip
"""Readers of the classes by the name of the file; they raise ``ValueError`` for another content."""
