"""The file from which torch's elastic agent reads when a process failed: the earliest error counts.

The agent fails where it finds a part of such a file, as a full disk or a kill leaves it.
"""

from __future__ import annotations

import os
from pathlib import Path

from torch.distributed.elastic.multiprocessing.errors import get_error_handler

VARIABLE = "TORCHELASTIC_ERROR_FILE"


def record_time(error: BaseException) -> None:
    """Write the file, whole or not at all: without it, the agent takes the time of the exit."""
    file = Path(os.environ[VARIABLE])
    part = file.with_name(f".{file.name}")
    os.environ[VARIABLE] = str(part)
    try:
        get_error_handler().record_exception(error)
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
    finally:
        os.environ[VARIABLE] = str(file)
