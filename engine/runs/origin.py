"""The machine that a run belongs to: this one, or a host whose runs are mirrored here.

A mirror is a run directory in the cache that holds what a host has sent of one of its runs. It is
read like any other, but nothing may be started in it or moved out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from engine.errors import RunError
from engine.files import safe_json
from engine.files.paths import hosts_folder
from engine.runs.directory import RunDirectory

_RUNS = "runs"


def mirror_folder(host: str) -> Path:
    """Return the folder with the mirrored runs of a host."""
    return hosts_folder() / host / _RUNS


@lru_cache(maxsize=256)
def host_of_folder(folder: Path) -> str:
    """Return the host whose runs a folder mirrors; empty for runs of this machine."""
    mirrored = folder.name == _RUNS and folder.parent.parent == hosts_folder()
    return folder.parent.name if mirrored else ""


def host_of(run: RunDirectory) -> str:
    """Return the host that a run belongs to; empty for this machine."""
    return host_of_folder(run.path.parent)


def left_on_host(run: RunDirectory) -> Mapping[str, int]:
    """Return the files of a mirrored run that are too large to be mirrored, in bytes."""
    try:
        sizes = safe_json.loads((run.path / "mirror.json").read_bytes())["too_large"]
        return {str(name): int(size) for name, size in sizes.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def require_own(run: RunDirectory) -> None:
    """Raise :class:`RunError` for a run of another machine."""
    if host := host_of(run):
        raise RunError(
            f"The run {run.id} is on {host}.", "Fetch it to this machine on the list of runs."
        )
