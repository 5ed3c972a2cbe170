"""The engine as a library: the examples of its documentation are run."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import engine


@pytest.mark.slow
def test_the_examples_of_the_documentation_run() -> None:
    code = re.findall(r"(?:^    .*\n|^\n)+", engine.__doc__ or "", flags=re.M)
    program = "".join(re.sub("^    ", "", part, flags=re.M) for part in code)
    program = program.replace("train.epochs=5", "train.epochs=1")
    program = program.replace("launch(config)", 'launch(config.override(["train.epochs=2"]))')
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    final, *evaluations = done.stdout.splitlines()
    assert "'test': {'loss'" in final or "'validation'" in final
    assert len([line for line in evaluations if "accuracy" in line]) >= 2
