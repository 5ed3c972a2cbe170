"""All measurements on a GPU, in one command of less than ten minutes.

    python tests/benchmarks/gpu.py                      # on a machine with a CUDA device
    python tests/benchmarks/gpu.py --only works,bits
    python tests/benchmarks/gpu.py --smoke              # tiny, also on a CPU: shows that it runs

Only torch, transformers, peft and their dependencies need to be installed: other packages come from
``.wheels`` (``make gpu-wheels``). Each part is a process with a time budget. Its rows are appended
to the results one by one. A part that fails or exceeds its budget adds a row with the error, and
the next part starts. The raw output of a part is written beside the results.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_parts import BUDGETS
from gpu_parts.wheels import unpack_missing

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PARTS = HERE / "gpu_parts"
WHEELS = (ROOT / ".wheels", ROOT / ".wheels-bitsandbytes")

GRACE = 10.0
"""Seconds beyond its budget that a part has to exit by itself."""
SMOKE_FACTOR = 10.0
"""Factor of the budgets in a smoke test, which measures nothing: the CPU may be slow and busy."""

Results = dict[str, Any]


@dataclass(frozen=True)
class Runner:
    """Runs parts one after the other and saves the results.

    Attributes:
        out: the file of the results; the parts' raw output is written beside it.
        smoke: whether the parts run as a tiny smoke test.
        folder: the folder with the scripts of the parts.
        grace: seconds over its budget after which a part is killed.
        environment: of the parts' processes.
    """

    out: Path
    smoke: bool = False
    folder: Path = PARTS
    grace: float = GRACE
    environment: Mapping[str, str] | None = None

    def run(self, budgets: Mapping[str, float], results: Results) -> Results:
        """Add every part of ``budgets`` (name: seconds) to the results."""
        for name, seconds in budgets.items():
            print(f"{name} (at most {seconds:.0f} s)", flush=True)
            self._part(name, seconds, results)
            self.save(results)
        return results

    def save(self, results: Results) -> None:
        """Replace the file of the results in one step."""
        draft = self.out.with_suffix(".draft")
        draft.write_text(json.dumps(results, indent=1) + "\n")
        draft.replace(self.out)

    def _part(self, name: str, seconds: float, results: Results) -> None:
        """Run one part; its entry in the results grows with its rows."""
        part = results["parts"][name] = {"seconds": 0.0, "rows": []}
        rows = self.out.with_name(f"gpu-{name}.jsonl")
        rows.unlink(missing_ok=True)
        command = [sys.executable, str(self.folder / f"{name}.py")]
        command += ["--rows", str(rows), "--seconds", str(seconds)]
        command += ["--smoke"] if self.smoke else []
        begun = time.monotonic()
        with self.out.with_name(f"gpu-{name}.log").open("w") as log:
            process = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                start_new_session=True,
            )
            try:
                while process.poll() is None and time.monotonic() - begun < seconds + self.grace:
                    time.sleep(0.2)
                    self._merge(part, rows, begun, results)
                late = process.poll() is None
            finally:
                _kill(process)
        self._merge(part, rows, begun, results)
        if late:
            part["rows"].append({"name": name, "error": f"killed after {part['seconds']:.0f} s"})
        elif process.returncode:
            last = _last_line(self.out.with_name(f"gpu-{name}.log"))
            why = f"exit status {process.returncode}: {last}"
            part["rows"].append({"name": name, "error": why})
        rows.unlink(missing_ok=True)

    def _merge(self, part: dict[str, Any], rows: Path, begun: float, results: Results) -> None:
        part["seconds"] = round(time.monotonic() - begun, 1)
        written = _read_rows(rows)
        if len(written) > len(part["rows"]):
            part["rows"] = written
            self.save(results)


def _read_rows(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a file that may not exist yet."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines(True) if line.endswith("\n")]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a part with all processes that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "no output"


def table(results: Results) -> str:
    """The rows of all parts as text."""
    lines = []
    for name, part in results["parts"].items():
        lines.append(f"{name}: {part['seconds']:.0f} s, {len(part['rows'])} rows")
        for row in part["rows"]:
            figures = (f"{key} {value}" for key, value in row.items() if key != "name")
            lines.append(f"  {row['name']}: {', '.join(figures)}")
    return "\n".join(lines)


def _environment(packages: Path) -> dict[str, str]:
    """The environment of the parts: packages from wheels importable, no requests to the hub."""
    unpacked = unpack_missing(WHEELS, packages)
    print(f"from wheels: {', '.join(unpacked) or 'nothing'}", flush=True)
    path = filter(None, (str(packages), str(ROOT), os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "HF_HUB_OFFLINE": "1"}


def _machine(environment: Mapping[str, str]) -> dict[str, Any]:
    """GPU and versions, from a process that loads torch for the first time."""
    command = [sys.executable, str(PARTS / "part.py")]
    told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="everything tiny, also on a CPU")
    parser.add_argument("--only", default=",".join(BUDGETS), help="parts, separated by commas")
    parser.add_argument("--out", type=Path, help="file of the results")
    asked = parser.parse_args()
    unknown = set(asked.only.split(",")) - set(BUDGETS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}; use {', '.join(BUDGETS)}")
    return asked


def _out(asked: argparse.Namespace, scratch: Path) -> Path:
    """The results file; a smoke test never overwrites the results of a real measurement."""
    default = scratch if asked.smoke else HERE / "results"
    out: Path = (asked.out or default / "gpu.json").resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    return out


def main() -> int:
    """Run the requested parts; return 1 if a row is an error."""
    asked = _asked()
    with tempfile.TemporaryDirectory(prefix="dltui-gpu-") as scratch:
        environment = _environment(Path(scratch) / "packages")
        found = _machine(environment)
        if found["device"] != "cuda" and not asked.smoke:
            print("No CUDA device. Use --smoke to try the script on a CPU.", file=sys.stderr)
            return 2
        print(json.dumps(found), flush=True)
        runner = Runner(_out(asked, Path(scratch)), asked.smoke, environment=environment)
        factor = SMOKE_FACTOR if asked.smoke else 1.0
        budgets = {n: s * factor for n, s in BUDGETS.items() if n in asked.only.split(",")}
        results = runner.run(budgets, {"smoke": asked.smoke, "machine": found, "parts": {}})
        print(table(results))
    return int(any("error" in row for part in results["parts"].values() for row in part["rows"]))


if __name__ == "__main__":
    sys.exit(main())
