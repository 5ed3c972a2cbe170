"""``dltui compare RUN RUN…``: several runs side by side."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.errors import RunError
from engine.files.paths import runs_folder
from engine.runs.comparison import Comparison, Row, compare, shown_text, write_comparison
from engine.runs.directory import RunDirectory
from engine.runs.spread import Alike
from tui.cli import console
from tui.cli.exit_codes import DONE

_EXAMPLES = """
examples:
  dltui compare digits-cnn digits-mlp
  dltui compare digits-cnn digits-mlp --csv > comparison.csv
"""


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("runs", metavar="RUN", nargs="+", help="at least two runs")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="a row a run, for spreadsheets")
    form.add_argument("--markdown", action="store_true", help="a table for reports")
    form.add_argument("--json", action="store_true", help="one object, for programs")
    form.add_argument(
        "--output", metavar="FILE", type=Path, help="write a file that ends in .csv or .md"
    )


def execute(options: Namespace) -> int:
    """Show final metrics, the best of each marked, and only what differs in the settings."""
    runs = {run.id: run for run in _opened(options.runs)}
    if len(runs) < 2:
        raise RunError("To compare takes at least two runs.", "`dltui runs` lists all.")
    comparison = compare(list(runs.values()))
    if options.output:
        write_comparison(comparison, options.output)
        console.line(options.output)
    elif options.json:
        console.as_json(_record(comparison))
    elif options.csv or options.markdown:
        text = comparison.as_csv() if options.csv else comparison.as_markdown()
        for line in text.splitlines():
            console.line(line)
    else:
        _show(comparison)
    return DONE


def _opened(names: list[str]) -> list[RunDirectory]:
    return [RunDirectory.open(runs_folder(), name) for name in names]


def _show(comparison: Comparison) -> None:
    if comparison.note:
        console.line(comparison.note)
        console.line()
    places = range(1, len(comparison.runs) + 1)
    console.table(("", *map(str, places)), [(row.name, *_cells(row)) for row in comparison.rows()])
    console.line()
    console.line("* marks the best.")
    show_spreads(comparison.alike)


def show_spreads(groups: Sequence[Alike]) -> None:
    """Print mean and standard deviation of runs that differ by a seed or a fold alone."""
    for group in groups:
        console.line()
        console.line(f"{group.title} (mean ± standard deviation)")
        console.facts({name: spread.text for name, spread in group.metrics.items()})


def _cells(row: Row) -> list[str]:
    texts = (shown_text(value) for value in row.values)
    return [text + "*" * (place in row.best) for place, text in enumerate(texts)]


def _record(comparison: Comparison) -> dict[str, object]:
    ids = [run.id for run in comparison.runs]

    def by_run(rows: Iterable[Row]) -> dict[str, dict[str, object]]:
        return {row.name: dict(zip(ids, row.values, strict=True)) for row in rows}

    return {
        "runs": [run.record() for run in comparison.runs],
        "note": comparison.note,
        "metrics": by_run(comparison.metrics),
        "best": {row.name: [ids[at] for at in sorted(row.best)] for row in comparison.metrics},
        "differences": by_run(comparison.differences),
        "alike": [group.record(ids) for group in comparison.alike],
    }
