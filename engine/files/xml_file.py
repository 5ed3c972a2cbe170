"""XML from outside: of a limited size, and without entities, which can grow without limit."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree


class XmlFault(Exception):
    """The reason why a file is not read as XML."""


def root_element(path: Path, most_bytes: int) -> ElementTree.Element:
    """Return the outermost element of a file. Raises :class:`XmlFault`."""
    try:
        if path.stat().st_size > most_bytes:
            raise XmlFault("an XML file is too large for an annotation")
        text = path.read_bytes()
        if b"<!DOCTYPE" in text.replace(b"\0", b""):  # also of UTF-16
            raise XmlFault("an XML file has a DOCTYPE, which annotations have not")
        return ElementTree.fromstring(text)
    except (OSError, ElementTree.ParseError) as error:
        raise XmlFault("an XML file cannot be read") from error
