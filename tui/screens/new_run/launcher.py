"""The start of a run from a screen: at once, or after those in the queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from textual.screen import Screen

from engine.config.requirements import check_requirements
from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.launch.start import Handle, launch
from engine.queue import entries
from tui.screens.last_run import leave
from tui.screens.registry import make_screen
from tui.terminal.key_names import key_of
from tui.widgets.notify import tell


class Launcher:
    """Starts one run, after which its screen closes."""

    def __init__(
        self, screen: Screen[None], refuse: Callable[[UserError], Awaitable[None]]
    ) -> None:
        """Call ``refuse`` with the error of a run that cannot be started."""
        self._screen = screen
        self._refuse = refuse
        self.busy = False
        """Whether a start is in progress."""

    def start(self, config: RunConfig, later: bool) -> None:
        """Start the run, or add it to the queue for ``later``; files are written in a thread."""
        self._set_busy(True)
        work = self._queue(config) if later else self._launch(config)
        self._screen.run_worker(work, group="launch")

    async def _launch(self, config: RunConfig) -> None:
        try:
            started = await asyncio.to_thread(_checked_launch, config)
        except UserError as error:
            await self._fail(error)
        else:
            self._screen.app.switch_screen(make_screen("monitor", started.run))

    async def _queue(self, config: RunConfig) -> None:
        try:
            await asyncio.to_thread(check_requirements, config)
            run = await asyncio.to_thread(entries.add, config)
            worked_off = await asyncio.to_thread(entries.running)
        except UserError as error:
            await self._fail(error)
        else:
            key = key_of(self._screen.app, "queue")
            rest = "" if worked_off else f" The queue is not started yet: {key} opens it."
            leave(self._screen.app, run.id)
            tell(self._screen, f"{run.id} waits in the queue.{rest}")
            self._screen.dismiss()

    async def _fail(self, error: UserError) -> None:
        self._set_busy(False)
        await self._refuse(error)

    def _set_busy(self, busy: bool) -> None:
        self.busy = busy
        self._screen.refresh_bindings()


def _checked_launch(config: RunConfig) -> Handle:
    check_requirements(config)
    return launch(config)
