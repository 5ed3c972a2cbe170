"""Questions for the files of a forecast: its past, and what is known ahead of its future."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from textual.screen import Screen

from engine.runs.directory import RunDirectory
from tui.format.text import literal
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.form.path_picker import PathPickerScreen

_DATA, _FILE = "the future", "a file"
_PASTS = {
    _DATA: "what follows the last row of the run's data",
    _FILE: "what follows the last row of a file",
}
_OWN, _ROWS = "in a file of the future", "at the end of the past"
_FUTURES = {
    _OWN: "its rows have the time and these columns",
    _ROWS: "rows without a target behind the last one",
}
_NAMES = 30
_PAST = "Forecast what follows a file (CSV, JSON lines, Parquet …)"

Then = Callable[[str, str], None]


def ask_files(screen: Screen[None], run: RunDirectory, known: Sequence[str], then: Then) -> None:
    """Ask for the past, then for the future of the columns ``known`` ahead, if there are any.

    ``then`` gets both paths: empty for the data of the run, and for rows at the end of the past.
    """

    def past_chosen(source: str | None) -> None:
        if source == _DATA:
            _ask_future(screen, known, partial(then, ""))
        elif source == _FILE:
            dialog = PathPickerScreen(_PAST, "", purpose="read")
            screen.app.push_screen(dialog, past_named)

    def past_named(file: str | None) -> None:
        if file:
            _ask_future(screen, known, partial(then, file))

    screen.app.push_screen(ChoiceScreen(f"Forecast by {run.id}", _PASTS, _DATA), past_chosen)


def _ask_future(screen: Screen[None], known: Sequence[str], then: Callable[[str], None]) -> None:
    if not known:
        then("")
        return

    def chosen(where: str | None) -> None:
        if where == _ROWS:
            then("")
        elif where == _OWN:
            dialog = PathPickerScreen(f"A file of the future with {names}", "", purpose="read")
            screen.app.push_screen(dialog, lambda file: then(file) if file else None)

    names = literal(", ".join(known), _NAMES).plain
    screen.app.push_screen(ChoiceScreen(f"{names} of the horizon", _FUTURES, _OWN), chosen)
