"""The parts of a workbook: its sheets, shared texts and formats."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from xml.etree.ElementTree import Element

from engine.data.readers.excel.formats import PLAIN, Format, format_of
from engine.data.readers.excel.xml import attribute, elements, local_name, text_of

_BOOK = "xl/workbook.xml"
_TRUE = ("1", "true", "on")


@dataclass(frozen=True, slots=True)
class SheetPart:
    """A sheet in the list of the workbook."""

    name: str
    part: str
    """Name in the archive."""
    hidden: bool


class Workbook:
    """A workbook in an open archive."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        """Read the list of sheets; raises :class:`KeyError` where the archive has none."""
        self.archive = archive
        self._targets = self._related()
        self.sheets: list[SheetPart] = []
        self.since_1904 = False
        with archive.open(self._book) as file:
            for element in elements(file, "sheet", "workbookPr"):
                if local_name(element) == "workbookPr":
                    self.since_1904 = attribute(element, "date1904").lower() in _TRUE
                elif (part := self._targets.get(attribute(element, "id"), "")).rpartition("/")[0]:
                    self._add(element, part)

    @cached_property
    def _book(self) -> str:
        """Name of the part with the list of sheets, which some programs call otherwise."""
        if "_rels/.rels" in self.archive.namelist():
            with self.archive.open("_rels/.rels") as file:
                for element in elements(file, "Relationship"):
                    if attribute(element, "Type").endswith("/officeDocument"):
                        return attribute(element, "Target").lstrip("/")
        return _BOOK

    def _related(self) -> Mapping[str, str]:
        """Return the parts that the workbook names by an id."""
        folder, name = posixpath.split(self._book)
        targets = {}
        with self.archive.open(f"{folder}/_rels/{name}.rels".lstrip("/")) as file:
            for element in elements(file, "Relationship"):
                target = attribute(element, "Target")
                whole = target.lstrip("/") if target.startswith("/") else f"{folder}/{target}"
                kind = attribute(element, "Type").rpartition("/")[2]
                key = attribute(element, "Id") if kind == "worksheet" else kind
                targets[key] = posixpath.normpath(whole)
        return targets

    def _add(self, element: Element, part: str) -> None:
        hidden = attribute(element, "state") in ("hidden", "veryHidden")
        self.sheets.append(SheetPart(attribute(element, "name"), part, hidden))

    @cached_property
    def texts(self) -> Sequence[str]:
        """Texts that cells name by their number."""
        part = self._targets.get("sharedStrings", "")
        if part not in self.archive.namelist():
            return []
        with self.archive.open(part) as file:
            return [text_of(element) for element in elements(file, "si")]

    @cached_property
    def formats(self) -> Sequence[Format]:
        """Formats that cells name by their number."""
        part = self._targets.get("styles", "")
        if part not in self.archive.namelist():
            return [PLAIN]
        codes: dict[int, str] = {}
        found: list[Format] = []
        with self.archive.open(part) as file:
            for element in elements(file, "numFmt", "cellXfs"):
                if local_name(element) == "numFmt":
                    number = int(attribute(element, "numFmtId"))
                    codes[number] = attribute(element, "formatCode")
                    continue
                numbers = [int(attribute(child, "numFmtId") or 0) for child in element]
                found = [format_of(number, codes.get(number)) for number in numbers]
        return found or [PLAIN]
