"""Workbooks as Excel writes them, from cells."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

Value = Any
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATED = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'


def letter(column: int) -> str:
    return chr(ord("A") + column)


def cell(row: int, column: int, value: Value, style: int = 0) -> str:
    """A cell with its value; texts that begin with < are the XML of a cell's inside."""
    place = f'r="{letter(column)}{row + 1}"'
    if value is None:
        return f'<c {place} s="{style}"/>'
    if isinstance(value, str) and value.startswith("<"):
        kind, _, inner = value[1:].partition(">")
        return f"<c {place} {kind}>{inner}</c>"
    if isinstance(value, str):
        return f'<c {place} t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f'<c {place} s="{style}"><v>{value!r}</v></c>'


def sheet(
    rows: Sequence[Sequence[Value]],
    styles: Mapping[int, int] | None = None,
    merged: Sequence[str] = (),
    hidden_rows: Sequence[int] = (),
    columns: str = "",
) -> str:
    """The XML of a sheet; ``styles`` are those of columns, ``hidden_rows`` count from 0."""
    lines = []
    for number, row in enumerate(rows):
        cells = "".join(
            cell(number, column, value, (styles or {}).get(column, 0))
            for column, value in enumerate(row)
        )
        hidden = ' hidden="1"' * (number in hidden_rows)
        lines.append(f'<row r="{number + 1}"{hidden}>{cells}</row>')
    ranges = "".join(f'<mergeCell ref="{one}"/>' for one in merged)
    after = f"<mergeCells>{ranges}</mergeCells>" if merged else ""
    data = "".join(lines)
    return f"<worksheet {_MAIN}>{columns}<sheetData>{data}</sheetData>{after}</worksheet>"


def save(
    path: Path,
    sheets: Mapping[str, str],
    formats: Sequence[int | str] = (),
    texts: Sequence[str] = (),
    hidden: Sequence[str] = (),
    since_1904: bool = False,
) -> Path:
    """Write a workbook; ``formats`` are those of the styles 1, 2, …, by number or code."""
    codes = {164 + i: one for i, one in enumerate(formats) if isinstance(one, str)}
    shown = "".join(
        f'<numFmt numFmtId="{i}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
        for i, code in codes.items()
    )
    used = "".join(
        f'<xf numFmtId="{164 + i if isinstance(one, str) else one}"/>'
        for i, one in enumerate(formats)
    )
    named = "".join(
        f'<sheet name="{escape(name)}" sheetId="{i}" r:id="r{i}"'
        f"{' state=' + chr(34) + 'hidden' + chr(34) if name in hidden else ''}/>"
        for i, name in enumerate(sheets, 1)
    )
    system = ' date1904="1"' * since_1904
    parts = {
        "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_OFFICE}"><workbookPr{system}/>'
        f"<sheets>{named}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships {_RELATED}>"
        + "".join(
            f'<Relationship Id="r{i}" Type="{_OFFICE}/worksheet" Target="sheets/{i}.xml"/>'
            for i in range(1, len(sheets) + 1)
        )
        + f'<Relationship Id="s" Type="{_OFFICE}/styles" Target="/xl/styles.xml"/>'
        f'<Relationship Id="t" Type="{_OFFICE}/sharedStrings" Target="texts.xml"/></Relationships>',
        "xl/styles.xml": f"<styleSheet {_MAIN}><numFmts>{shown}</numFmts>"
        f'<cellXfs><xf numFmtId="0"/>{used}</cellXfs></styleSheet>',
        "xl/texts.xml": f"<sst {_MAIN}>" + "".join(f"<si>{one}</si>" for one in texts) + "</sst>",
    }
    parts |= {f"xl/sheets/{i}.xml": xml for i, xml in enumerate(sheets.values(), 1)}
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path
