"""The folders of the program.

``DLTUI_HOME`` moves all of them into one folder; without it they are the platform's usual ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def _home() -> Path | None:
    home = os.environ.get("DLTUI_HOME")
    return Path(home).expanduser().absolute() if home else None


def expanded(path: str) -> Path:
    """Return ``path`` with ``~`` expanded; the home of an unknown user, ``~name``, stays."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def is_file(path: Path) -> bool:
    """Return whether ``path`` is a file; ``False`` for a name too long, where ``Path`` raises."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Return whether ``path`` is a folder; ``False`` for a name too long, where ``Path`` raises."""
    return os.path.isdir(path)  # noqa: PTH112


def anchored(path: str) -> str:
    """``path`` from the root on, as it is meant in the current folder; an empty one stays empty."""
    return str(expanded(path).absolute()) if path else ""


def runs_folder() -> Path:
    """The folder with one directory a run."""
    return (_home() or platformdirs.user_data_path("dltui")) / "runs"


def sweeps_folder() -> Path:
    """The folder with one directory a sweep."""
    return (_home() or platformdirs.user_data_path("dltui")) / "sweeps"


def queue_folder() -> Path:
    """The folder with the runs that wait for their turn."""
    return (_home() or platformdirs.user_data_path("dltui")) / "queue"


def presets_folder() -> Path:
    """The folder with the user's own presets."""
    return (_home() or platformdirs.user_config_path("dltui")) / "presets"


def settings_file() -> Path:
    """The file with what a person has chosen for the screens."""
    return (_home() or platformdirs.user_config_path("dltui")) / "settings.toml"


def logs_folder() -> Path:
    """The folder with the program's own log and its crash reports."""
    return (_home() or platformdirs.user_state_path("dltui")) / "logs"


def cache_folder() -> Path:
    """The folder with what can be computed again: tokenised data and the like."""
    home = _home()
    return home / "cache" if home else platformdirs.user_cache_path("dltui")


def hosts_folder() -> Path:
    """The folder with what is known of runs on other machines, one folder a host."""
    return cache_folder() / "hosts"
