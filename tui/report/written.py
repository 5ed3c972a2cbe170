"""The page about a run as files, in the formats by their endings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import UserError
from engine.files import atomic
from engine.runs.directory import RunDirectory
from tui.report.html import html
from tui.report.markdown import markdown
from tui.report.page import Page, page

FORMATS: dict[str, Callable[[Page], str]] = {".html": html, ".md": markdown}


def write_report(run: RunDirectory, paths: Sequence[Path]) -> None:
    """Write the page about ``run`` to each path. Raises :class:`UserError`."""
    for path in paths:
        if path.suffix not in FORMATS:
            raise UserError(
                f"A page is written as HTML or Markdown, and {path.name!r} ends in neither.",
                "Give the file a name that ends in .html or .md.",
            )
    content = page(run)
    for path in paths:
        try:
            atomic.write_text(path, FORMATS[path.suffix](content))
        except OSError as error:
            raise UserError(f"Cannot write {path}: {error.strerror}.") from error
