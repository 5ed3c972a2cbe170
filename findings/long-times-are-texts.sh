#!/usr/bin/env bash
# python-calamine reads a duration of a day or more in an .ods file as a text.
#
# Expected: cells of one column with values of the type "time" (office:time-value) have one type, a
#   duration or a time of day; the same durations in an .xlsx file are all datetime.timedelta.
# Observed: those below 24 hours are datetime.time, those from 24 hours on the text of the attribute,
#   such as 'PT30H00M00S'; pandas, which recommends this engine, passes both on in one column, and
#   nothing is raised or logged. python-calamine 0.9.1, pandas 3.1.1.
#
# Needs Python 3.11 or later and a package index; takes half a minute. Exits with 1 when something
# else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    python-calamine==0.9.1 pandas==3.1.1 numpy==2.4.6 odfpy==1.4.1 xlsxwriter==3.2.9

cat >"$folder/observe.py" <<'PYTHON'
import sys
from datetime import time, timedelta
from importlib.metadata import version
from pathlib import Path

import pandas
import python_calamine
import xlsxwriter
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow

HOURS = (6, 23, 24, 30)


def written_as_ods(path: Path) -> Path:
    document = OpenDocumentSpreadsheet()
    table = Table(name="worked")
    for hours in HOURS:
        row = TableRow()
        row.addElement(TableCell(valuetype="time", timevalue=f"PT{hours:02}H00M00S"))
        table.addElement(row)
    document.spreadsheet.addElement(table)
    document.save(path)
    return path


def written_as_xlsx(path: Path) -> Path:
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet("worked")
    elapsed = book.add_format({"num_format": "[h]:mm:ss"})
    for row, hours in enumerate(HOURS):
        sheet.write_number(row, 0, hours / 24, elapsed)
    book.close()
    return path


def cells(path: Path) -> list[object]:
    sheet = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    return [value for [value] in sheet.to_python()]


folder = Path(sys.argv[1])
ods, xlsx = written_as_ods(folder / "a.ods"), written_as_xlsx(folder / "a.xlsx")
frame = pandas.read_excel(ods, header=None, engine="calamine")
for name in ("python-calamine", "pandas"):
    print(name, version(name))
print(".xlsx", cells(xlsx))
print(".ods ", cells(ods))
print("pandas, .ods:", frame[0].tolist())

mixed = [time(6), time(23), "PT24H00M00S", "PT30H00M00S"]
same = (
    cells(xlsx) == [timedelta(hours=hours) for hours in HOURS]
    and cells(ods) == mixed
    and frame[0].tolist() == mixed
)
sys.exit(not same)
PYTHON
"$folder/venv/bin/python" "$folder/observe.py" "$folder"
