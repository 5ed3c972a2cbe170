"""``dltui report RUN``: a page with all about a run, for those who have no terminal."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.report.written import FORMATS, write_report

_EXAMPLES = """
examples:
  dltui report digits-cnn                    writes <run>.html and <run>.md here
  dltui report digits-cnn --output result.html
"""


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.epilog = _EXAMPLES
    parser.add_argument("run", metavar="RUN", help="the run, or the only one that starts so")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="where to: a file that ends in .html or .md"
    )


def execute(options: Namespace) -> int:
    """Write the page, in both formats unless a file is named."""
    run = RunDirectory.open(runs_folder(), options.run)
    paths = [options.output] if options.output else [Path(run.id + end) for end in FORMATS]
    write_report(run, paths)
    for path in paths:
        console.line(path)
    return DONE
