"""Runs of other machines in the list: load one before it is opened, clone to a host, fetch."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Timer

import tomlkit
from textual.screen import Screen

from engine.config.run_config import RunConfig
from engine.errors import UserError
from engine.runs.directory import RunDirectory
from engine.runs.summary import RunSummary
from tui.hosts.host import Host
from tui.screens.dialogs.ask_value import AskValueScreen
from tui.screens.errands import errands_of
from tui.screens.placed_changes import hosts_of
from tui.widgets.form.choice import ChoiceScreen
from tui.widgets.notify import complain, in_thread, tell
from tui.widgets.question import Answer

_HERE = "this machine"
_QUEUE = ", queue"
_SOON_SECONDS = 0.5
"""A run that is here by then needs no message that it is awaited."""


class OnHosts:
    """Waits for hosts in threads; the list can be used meanwhile."""

    def __init__(self, screen: Screen[None]) -> None:
        self._screen = screen

    def loaded(self, rows: Sequence[RunSummary], whole: bool, then: Callable[[], object]) -> None:
        """Call ``then`` as soon as the files of all runs are here, unless another screen is open.

        ``whole``: whether all files are needed, and not only those that a list shows.
        """
        away = [row.run for row in rows if row.host]
        try:
            hosts = [hosts_of(self._screen.app).of(run) for run in away]
        except UserError as error:
            complain(self._screen, error)
            return
        names = ", ".join(sorted({row.host for row in rows} - {""}))
        app, screen = self._screen.app, self._screen
        slow = Timer(_SOON_SECONDS, lambda: app.call_later(tell, screen, f"Loading from {names} …"))

        def load() -> None:
            slow.start()
            try:
                for host, run in zip(hosts, away, strict=True):
                    if host is not None:
                        host.runs.load(run.id, whole)
            finally:
                slow.cancel()
            app.call_from_thread(self._continue, then)

        in_thread(self._screen, load)

    def _continue(self, then: Callable[[], object]) -> None:
        if self._screen.is_current:
            then()

    def clone(self, row: RunSummary, here: Callable[[RunSummary], None]) -> None:
        """Clone a run to a machine that the user chooses; ``here`` does it on this one."""
        hosts = {host.name: host for host in hosts_of(self._screen.app)}

        def chosen(target: str | None) -> None:
            if target is None:
                return
            then = here if target == _HERE else partial(self._change, hosts, target)
            self.loaded([row], False, partial(then, row))

        options = {_HERE: "opens the form"}
        for name, host in hosts.items():
            gone = ", not reachable now" * (host.link.standing.phase == "gone")
            options[name] = f"starts at once{gone}"
            options[name + _QUEUE] = f"starts after the runs before it{gone}"
        dialog = ChoiceScreen(f"Clone {row.name} to", options, row.host or _HERE)
        self._screen.app.push_screen(dialog, chosen)

    def _change(self, hosts: Mapping[str, Host], target: str, row: RunSummary) -> None:
        """Ask for changes of the configuration, then start it on a host."""
        try:
            config = row.run.config.read()
        except UserError as error:
            complain(self._screen, error)
            return

        def answered(text: str | None) -> None:
            if text is not None:
                host = hosts[target.removesuffix(_QUEUE)]
                queue = target.endswith(_QUEUE)
                self._launch(host, changed(config, text), queue)

        title = f"Clone {row.name} to {target}; changes as field=value, or none"
        self._screen.app.push_screen(AskValueScreen(title, "", partial(changed, config)), answered)

    def _launch(self, host: Host, config: RunConfig, queue: bool) -> None:
        def launch() -> None:
            text = tomlkit.dumps(config.values())
            run = host.launch(text, queue)
            done = f"{run} {'is in the queue of' if queue else 'has started on'} {host.name}."
            self._screen.app.call_from_thread(tell, self._screen, done)

        in_thread(self._screen, launch)

    def fetch(self, row: RunSummary) -> None:
        """Copy a finished run with its model to this machine."""
        screen = self._screen
        if not row.host:
            tell(screen, f"{row.name} is on this machine.")
            return
        if not row.state.ended:
            tell(screen, f"{row.name} has not ended: stop it, or let it finish, then fetch it.")
            return
        try:
            host = hosts_of(screen.app).of(row.run)
        except UserError as error:
            complain(screen, error)
            return
        if host is not None:
            errands_of(screen.app).do(
                f"Fetching {row.id} from {host.name}",
                _fetched,
                lambda _: _described(host.fetch(row.id)),
            )


def changed(config: RunConfig, text: str) -> RunConfig:
    """Return a configuration with changes as on the command line. Raises :class:`UserError`."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UserError(f"{error}.", 'Write texts with spaces as field="a b".') from error
    return config.override(words) if words else config


def _described(run: RunDirectory) -> Answer:
    return {"run": run.id, "model": run.model.is_dir()}


def _fetched(answer: Answer) -> list[str]:
    what = "with its model" if answer["model"] else "; it has no model"
    return [f"{answer['run']} is on this machine now, {what}.".replace(" ,", ",")]
