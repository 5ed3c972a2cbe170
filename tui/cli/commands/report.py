"""``dltui report RUN``: a page with all about a run, for those who have no terminal."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from engine.errors import UserError
from engine.files import atomic
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from tui.cli import console
from tui.cli.exit_codes import DONE
from tui.report.html import html
from tui.report.markdown import markdown
from tui.report.page import Page, page

_FORMATS: dict[str, Callable[[Page], str]] = {".html": html, ".md": markdown}
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
    paths = [options.output] if options.output else [Path(run.id + end) for end in _FORMATS]
    for path in paths:
        if path.suffix not in _FORMATS:
            raise UserError(
                f"A page is written as HTML or Markdown, and {path.name!r} ends in neither.",
                "Give the file a name that ends in .html or .md.",
            )
    content = page(run)
    for path in paths:
        _write(path, _FORMATS[path.suffix](content))
        console.line(path)
    return DONE


def _write(path: Path, text: str) -> None:
    try:
        atomic.write_text(path, text)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from error
