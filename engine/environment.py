"""What the processes that this program starts find in their environment."""

from __future__ import annotations

import os
from pathlib import Path


def worker_environment() -> dict[str, str]:
    """This process's environment, for one that computes.

    It finds this very copy of the engine wherever it is started from, prints at once, and its
    libraries draw no progress bars.
    """
    root = str(Path(__file__).resolve().parent.parent)
    inherited = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [root, inherited]))
    return os.environ | {
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "TQDM_DISABLE": "1",
    }
