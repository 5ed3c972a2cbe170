"""``dltui notify [TEXT]``: send a notification, to try the addresses of the settings."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from engine.files.paths import settings_file
from engine.loggers.notifier import connect, send
from engine.loggers.notify_settings import NotifyError, read_notify_settings
from tui.cli import console
from tui.cli.exit_codes import DONE


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "text", metavar="TEXT", nargs="?", default="Notifications work.", help="what to send"
    )


def execute(options: Namespace) -> int:
    """Send the text to every address; raises :class:`NotifyError` if one does not take it."""
    urls = read_notify_settings().urls
    if not urls:
        raise NotifyError(
            "The settings have no addresses for notifications.",
            f'Write into {settings_file()}: notify.urls = ["ntfy://a-topic-of-your-own"].',
        )
    send(connect(urls), "dltui", options.text)
    console.line(f"Sent to {len(urls)} address{'es' * (len(urls) != 1)}.")
    return DONE
