"""``dltui predict RUN …``: predictions of a finished run, or an exported model, for new inputs."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from engine.errors import UserError
from engine.files.sanitize import plain
from engine.reports.counted import counted
from engine.reports.explanation import Explanation
from engine.reports.note_table import notes_in
from engine.service.client import Advisor
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.format.explained import explained
from tui.format.note_lines import note_lines


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "run", metavar="RUN",
        help="the run, or the only one that starts so, or a folder that `dltui export` wrote",
    )  # fmt: skip
    parser.add_argument(
        "values",
        metavar="VALUE",
        nargs="*",
        help="a text, an image file, or column=value for each input; - or nothing reads lines "
        "(texts or JSON objects) from standard input",
    )
    parser.add_argument(
        "--file",
        default="",
        help="a file of many rows (CSV, JSON lines, Parquet …), or a folder of images",
    )
    parser.add_argument(
        "--future",
        default="",
        help="for a forecast with --file: a file with the columns that are known ahead",
    )
    parser.add_argument(
        "--output",
        default="",
        help="write the predictions to a file: .csv, .parquet or .jsonl, by its suffix",
    )
    parser.add_argument(
        "--precision",
        choices=["float32", "bfloat16"],
        default="float32",
        help="of the network for --output of a table: bfloat16 (mixed precision) is faster on CPUs "
        "that multiply it natively; its agreement with float32 is shown",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="show what the prediction for one row rests on: places of an image, words of a text, "
        "columns of a row",
    )
    parser.add_argument(
        "--class",
        dest="target",
        default="",
        metavar="NAME",
        help="with --explain: the class that is explained, instead of the likeliest",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")


def execute(options: Namespace) -> int:
    """Predict and print one line a record."""
    if options.precision != "float32" and not (options.output and options.file):
        raise UserError("--precision is for --file and --output.", "Name both, or leave it out.")
    if options.explain and (options.file or options.output):
        raise UserError("--explain is for one row.", "Leave out --file and --output.")
    if options.target and not options.explain:
        raise UserError("--class is for --explain.", "Name both, or leave it out.")
    with Advisor() as advisor:
        inputs = advisor.ask("predict", run=options.run)["inputs"]
        rows = [] if options.file else _rows(options.values, inputs)
        inputs_given = {"rows": rows, "file": options.file, "future": options.future}
        if options.explain:
            return _explain(advisor, options, rows)
        if options.output:
            there = {"output": options.output, "replace": True, "precision": options.precision}
            answer = advisor.ask("save predictions", run=options.run, **there, **inputs_given)
        else:
            shown = {"presented": not options.json}
            answer = advisor.ask("predict", run=options.run, **shown, **inputs_given)
    for line in note_lines(notes_in(answer), console.width()):
        console.remark(line.text)
    if options.output:
        console.remark(f"{counted(answer['rows'], 'row')} in {plain(options.output, 400)}")
        return DONE
    beside = answer.get("beside") or [{}] * len(answer["records"])
    for row, record in zip(beside, answer["records"], strict=True):
        if options.json:
            console.as_json_line(({"row": row} if row else {}) | record)
        else:
            console.line(_shown(row | {n: v for n, v in record.items() if n not in row}))
    return DONE


def _explain(advisor: Advisor, options: Namespace, rows: list[Any]) -> int:
    """Print what the prediction for the only row rests on."""
    if len(rows) != 1:
        raise UserError(f"--explain is for one row, not {len(rows):,}.", "Give one.")
    answer = advisor.ask("explain", run=options.run, row=rows[0], target=options.target)
    for line in note_lines(notes_in(answer), console.width()):
        console.remark(line.text)
    if options.json:
        console.as_json_line(answer)
    else:
        for text in explained(Explanation.from_record(answer)):
            console.line(text)
    return DONE


def _rows(values: list[str], inputs: list[str]) -> list[Any]:
    """The rows that were typed, or those on standard input."""
    if not values or values == ["-"]:
        return [_row(line) for line in map(str.strip, sys.stdin) if line]
    if len(inputs) == 1:
        return values
    row = {}
    for text in values:
        known = [name for name in inputs if text.startswith(f"{name}=")]
        name, equals, value = _parted(text, max(known, key=len, default=""))
        if not equals:
            raise UserError(
                f"{plain(text, 60)!r} is not of the form column=value.",
                f"The inputs are {plain(', '.join(inputs), 400)}.",
            )
        row[name] = value
    return [row]


def _parted(text: str, name: str) -> tuple[str, str, str]:
    """Return column, sign and value; the ``name`` of a column may itself have the sign."""
    return (name, "=", text[len(name) + 1 :]) if name else text.partition("=")


def _row(line: str) -> Any:
    """A line of standard input: a JSON object, or else a text."""
    if not line.startswith("{"):
        return line
    try:
        return json.loads(line)
    except ValueError as error:
        raise UserError(f"{plain(line, 60)!r} is not a JSON object: {error}.") from error


def _shown(record: dict[str, Any]) -> str:
    return "  ".join(f"{name} {_value(value)}" for name, value in record.items())


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return " ".join(f"{plain(name, 60)}:{_value(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    return plain(value, 2000)
