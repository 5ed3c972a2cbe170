"""Combinations of adapters, made by the advisor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict

from textual.screen import Screen

from engine.config.combination import Combination
from engine.errors import UserError
from engine.runs.summary import RunSummary
from tui.screens.adapters.combine import CombineScreen
from tui.widgets.notify import complain, tell
from tui.widgets.question import Ask


class Products:
    """Requests models on behalf of a screen, and notifies the user of the results.

    A request ends with its screen.
    """

    def __init__(self, screen: Screen[None], ask: Ask) -> None:
        self._screen = screen
        self._ask = ask

    def combine(self, runs: Sequence[RunSummary], then: Callable[[], object]) -> None:
        """Combine the adapters of runs, by the method that the user chooses, then call ``then``."""

        def answered(wanted: Combination | None) -> None:
            if wanted is not None:
                tell(self._screen, "Combining …")
                self._request(self._combine(wanted, then))

        self._screen.app.push_screen(CombineScreen([(run.id, run.name) for run in runs]), answered)

    def _request(self, work: Coroutine[object, object, None]) -> None:
        self._screen.run_worker(work)

    async def _combine(self, wanted: Combination, then: Callable[[], object]) -> None:
        try:
            answer = await asyncio.to_thread(self._ask, "combine", **asdict(wanted))
        except UserError as error:
            complain(self._screen, error)
            return
        tell(self._screen, f"{answer['run']} is there: try it, or continue from it.")
        then()
