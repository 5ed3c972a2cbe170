#!/usr/bin/env bash
# The file of an offline run of W&B is not complete when run.finish() has returned.
#
# Expected: after finish(), run-*.wandb has all that was logged: it can be copied or synchronized.
# Observed with wandb 0.31.0: of ten runs that log five rows with 20 kB of text each, the file of
#   several ends in the middle of a record when finish() returns, without the last row, and grows to its
#   full size within two seconds, or with wandb.teardown(). Nothing says so.
#
# Needs Python 3.11 or later, 150 MB of disk and a package index. Exits with 1 when something else is
# seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check wandb==0.31.0

cat >"$folder/finish.py" <<'PYTHON'
import sys
import time
from pathlib import Path

import wandb

print(f"wandb {wandb.__version__}")
grown = 0
for attempt in range(10):
    folder = Path(sys.argv[1], str(attempt))
    folder.mkdir()
    run = wandb.init(project="p", mode="offline", dir=str(folder))
    for step in range(5):
        run.log({"loss": step, "text": "x" * 20_000})
    run.finish()
    (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    before = file.stat().st_size
    time.sleep(3)
    after = file.stat().st_size
    grown += after > before
    print(f"run {attempt}: {before:,} bytes when finish() returns, {after:,} bytes 3 s later")
print(f"{grown} of 10 files were not complete")
sys.exit(0 if grown else 1)
PYTHON

WANDB_SILENT=true "$folder/venv/bin/python" "$folder/finish.py" "$folder"
