"""Models made of adapters by the advisor: exported ones, and combinations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict

from textual.screen import Screen

from engine.config.combination import Combination
from engine.errors import UserError
from engine.runs.summary import RunSummary
from tui.format.export_formats import free_name, told
from tui.screens.adapters.combine import CombineScreen
from tui.screens.dialogs.ask_path import AskPathScreen
from tui.widgets.notify import complain, tell
from tui.widgets.question import Ask


class Products:
    """Requests models on behalf of a screen, and notifies the user of the results.

    A request ends with its screen.
    """

    def __init__(self, screen: Screen[None], ask: Ask) -> None:
        self._screen = screen
        self._ask = ask

    def export(self, run: RunSummary, form: str) -> None:
        """Export the model of a run in a format, to a path from the user."""

        def answered(path: str | None) -> None:
            if path:
                tell(self._screen, "Writing; the result is tried before it is kept.")
                self._request(self._write(run.id, path, form))

        title = f"Merge {run.id} into its base" if form == "merged" else f"Export {run.id}"
        dialog = AskPathScreen(f"{title}, written to", free_name(run.name, form))
        self._screen.app.push_screen(dialog, answered)

    def combine(self, runs: Sequence[RunSummary], then: Callable[[], object]) -> None:
        """Combine the adapters of runs, by the method that the user chooses, then call ``then``."""

        def answered(wanted: Combination | None) -> None:
            if wanted is not None:
                tell(self._screen, "Combining …")
                self._request(self._combine(wanted, then))

        self._screen.app.push_screen(CombineScreen([(run.id, run.name) for run in runs]), answered)

    def _request(self, work: Coroutine[object, object, None]) -> None:
        self._screen.run_worker(work)

    async def _write(self, run: str, destination: str, form: str) -> None:
        try:
            answer = await asyncio.to_thread(
                self._ask, "export", run=run, destination=destination, form=form
            )
        except UserError as error:
            complain(self._screen, error)
            return
        tell(self._screen, f"{told(answer)}.")
        for further in [*answer.get("notes", ()), answer.get("command")]:
            if further:
                tell(self._screen, further)

    async def _combine(self, wanted: Combination, then: Callable[[], object]) -> None:
        try:
            answer = await asyncio.to_thread(self._ask, "combine", **asdict(wanted))
        except UserError as error:
            complain(self._screen, error)
            return
        tell(self._screen, f"{answer['run']} is there: try it, or continue from it.")
        then()
