"""A private folder for the sockets of connections, which ends with the program.

A program that was killed cannot remove its folder; the next one does.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

_FOLDER = "/tmp"  # the path of a socket is limited to 104 bytes
_NAME = re.compile(r"dltui-(\d+)-\w+")


def make_folder() -> Path:
    """Make the folder of this process, readable by its user alone. Raises ``OSError``."""
    parent = Path(_FOLDER if Path(_FOLDER).is_dir() else tempfile.gettempdir())
    for path in parent.glob("dltui-*-*"):
        if _is_left(path):
            shutil.rmtree(path, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"dltui-{os.getpid()}-", dir=parent))


def _is_left(path: Path) -> bool:
    """Return whether a folder is of a process of this user that is gone."""
    found = _NAME.fullmatch(path.name)
    try:
        if found is None or path.is_symlink() or path.stat().st_uid != os.getuid():
            return False
        os.kill(int(found[1]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
