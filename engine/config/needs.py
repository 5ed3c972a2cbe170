"""The needs of an experiment beside this program: a download, a file, a GPU.

Only the configuration is looked at, and which folders exist on this machine.
"""

from __future__ import annotations

import re

from engine.config.run_config import RunConfig
from engine.files.paths import expanded, is_folder, runs_folder

DOWNLOAD, FILE, GPU = "download", "file", "GPU"
_LARGE = 1.0
"""Billions of parameters from which on a network is trained on a GPU."""
_SIZE = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)b(?![a-z])", re.IGNORECASE)
"""A number of billions in a name, as in ``Llama-3.2-1B``."""


def needs_of(config: RunConfig) -> tuple[str, ...]:
    """Return what is needed, each in a word; a download may have been made before."""
    path = str(getattr(config.data, "path", ""))
    found = {
        DOWNLOAD: config.data.kind == "hub" or _downloads_weights(config),
        FILE: bool(path) and not expanded(path).is_absolute(),
        GPU: config.adapter.quantization != "none" or _billions(config) >= _LARGE,
    }
    return tuple(name for name, needed in found.items() if needed)


def _downloads_weights(config: RunConfig) -> bool:
    path = _weights(config)
    if not path:
        return bool(getattr(config.model, "pretrained", False))
    return not is_folder(expanded(path)) and not is_folder(runs_folder() / path)


def _weights(config: RunConfig) -> str:
    return str(getattr(config.model, "path", ""))


def _billions(config: RunConfig) -> float:
    """Return the size of the pre-trained network by its name; 0 where that does not say it."""
    sizes = _SIZE.findall(_weights(config).rpartition("/")[2])
    return max(map(float, sizes), default=0.0)
