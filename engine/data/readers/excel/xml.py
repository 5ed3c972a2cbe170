"""XML of the parts of a workbook, read element by element."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, cast
from xml.etree.ElementTree import Element, XMLPullParser

_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_PIECE = 1 << 16


def elements(file: IO[bytes], *names: str) -> Iterator[Element]:
    """Yield each element of one of the ``names`` when it is complete; it is emptied afterwards.

    Raises ``ValueError`` for a part with a DOCTYPE, whose entities could grow without limit.
    """
    parser: XMLPullParser[Element] = XMLPullParser(("end",))
    head: bytes | None = b""
    while piece := file.read(_PIECE):
        if head is not None:
            head += piece.replace(b"\0", b"")  # also of UTF-16
            if b"<!DOCTYPE" in head:
                raise ValueError("it has a DOCTYPE, which workbooks have not")
        parser.feed(piece)
        for _, element in cast(Iterator[tuple[str, Element]], parser.read_events()):
            head = None  # a DOCTYPE would stand before all elements
            if local_name(element) in names:
                yield element
                element.clear()
    parser.close()


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace, of which there are two."""
    return element.tag.rpartition("}")[2]


def attribute(element: Element, name: str) -> str:
    """Return an attribute in any namespace; empty where there is none."""
    found = (value for key, value in element.attrib.items() if key.rpartition("}")[2] == name)
    return next(found, "")


def text_of(element: Element) -> str:
    """Return the text of a string, in one piece or several, without its pronunciation."""
    parts = []
    for child in element:
        name = local_name(child)
        if name == "t":
            parts.append(child.text or "")
        elif name == "r":
            parts.append(text_of(child))
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), "".join(parts))
