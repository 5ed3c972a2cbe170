"""From what an action raises to a sentence for the user and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from engine.errors import UserError
from engine.files.disk_space import why_not_written
from tui.cli import console
from tui.cli.exit_codes import DONE, FAILED, INTERRUPTED, USAGE
from tui.terminal import crash


def guarded(action: Callable[[], int]) -> int:
    """Run ``action``; every error becomes a line and an exit status."""
    try:
        status = action()
        sys.stdout.flush()
        return status
    except UserError as error:
        console.complain(error)
        return USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe; Python must not report an error on closing the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except Exception as error:  # noqa: BLE001 — the last resort: a report file and one line
        if (reason := why_not_written(error)) is not None:
            name = getattr(error, "filename", None)
            console.complain(f"Cannot write{f' to {name}' if name else ''}: {reason}.")
        else:
            console.complain(crash.describe(error))
        return FAILED
