"""Environment variables of the processes that this program starts."""

from __future__ import annotations

import os
from pathlib import Path

SPIN_COUNT = "1000"
"""Number of spins of OpenMP's idle threads before they sleep.

By default they spin for about a millisecond. Where several runs share the cores, each then takes
the time of the others (a small CNN on two cores that two more runs share: 186 s against 12 s).
"""


_LAUNCH = ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "MASTER_ADDR", "MASTER_PORT")
"""Variables of torch's launchers that the processes of one start have in common."""


def beside_others() -> str:
    """Return a name that this process has in common with those that train beside it here.

    Empty for one that trains alone on its machine.
    """
    if int(os.environ.get("LOCAL_WORLD_SIZE", "1")) < 2:
        return ""
    return " ".join(os.environ.get(name, "") for name in _LAUNCH)


def worker_environment() -> dict[str, str]:
    """This process's environment, for one that computes.

    It finds this very copy of the engine wherever it is started from, prints at once, and its
    libraries draw no progress bars. Arrow takes memory from the C library from the first table on:
    its own allocator would begin with megabytes in huge pages, and keep what is freed.
    """
    root = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [root, inherited]))
    return (
        {"GOMP_SPINCOUNT": SPIN_COUNT, "ARROW_DEFAULT_MEMORY_POOL": "system"}
        | os.environ
        | {
            "PYTHONPATH": path,
            "PYTHONUNBUFFERED": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "TQDM_DISABLE": "1",
        }
    )
