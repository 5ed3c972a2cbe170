"""The start of a run from a screen: at once, or after those in the queue."""

from __future__ import annotations

import asyncio

from textual.screen import Screen

from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.launch.start import launch
from engine.queue import entries
from tui.screens.last_run import leave
from tui.screens.registry import make_screen
from tui.widgets.notify import complain, tell


class Launcher:
    """Starts one run, after which its screen closes."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen
        self.busy = False
        """Whether a start is in progress."""

    def start(self, config: RunConfig, later: bool) -> None:
        """Start the run, or add it to the queue for ``later``; files are written in a thread."""
        self._set_busy(True)
        work = self._queue(config) if later else self._launch(config)
        self._screen.run_worker(work, group="launch")

    async def _launch(self, config: RunConfig) -> None:
        try:
            started = await asyncio.to_thread(launch, config)
        except UserError as error:
            self._fail(error)
        else:
            self._screen.app.switch_screen(make_screen("monitor", started.run))

    async def _queue(self, config: RunConfig) -> None:
        try:
            run = await asyncio.to_thread(entries.add, config)
            worked_off = await asyncio.to_thread(entries.running)
        except UserError as error:
            self._fail(error)
        else:
            rest = "" if worked_off else " Nothing starts before `dltui queue start`."
            leave(self._screen.app, run.id)
            tell(self._screen, f"{run.id} waits in the queue.{rest}")
            self._screen.dismiss()

    def _fail(self, error: UserError) -> None:
        self._set_busy(False)
        complain(self._screen, error)

    def _set_busy(self, busy: bool) -> None:
        self.busy = busy
        self._screen.refresh_bindings()
