"""A whole program, run to its end and measured."""

from __future__ import annotations

import os
from subprocess import PIPE, Popen


def measured(command: list[str], folder: str, path: str = "") -> tuple[dict[str, float], str]:
    """Run a program on one thread; return its figures, children included, and its output.

    ``path`` is the ``PYTHONPATH`` of the program, if it is to have another one.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "DLTUI_HOME": folder,
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    } | ({"PYTHONPATH": path} if path else {})  # fmt: skip
    process = Popen(command, cwd=folder, env=environment, stdout=PIPE, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed: {output}")
    seconds = usage.ru_utime + usage.ru_stime
    return {"cpu_s": seconds, "peak_mib": usage.ru_maxrss / 1024}, output
