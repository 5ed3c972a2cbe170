"""``dltui doctor``: the hardware and software of this machine, and problems with them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from engine.files.paths import cache_folder, logs_folder, presets_folder, runs_folder
from engine.hardware.driver import Driver, DriverReport, compare, installed_driver
from engine.hardware.resources import gpus
from engine.processes.environment import worker_environment
from tui.cli import console
from tui.cli.exit_codes import DONE, FAILED
from tui.cli.extras import installed_extras
from tui.format.numbers import size
from tui.terminal.capabilities import abilities
from tui.terminal.graphics.choice import find

_PACKAGES = (
    "dltui", "textual", "plotext", "torch", "torchvision", "transformers", "datasets", "peft",
    "scikit-learn", "pandas", "pyarrow",
)  # fmt: skip
_FOLDERS = {
    "runs": runs_folder,
    "presets": presets_folder,
    "logs": logs_folder,
    "cache": cache_folder,
}
_COLOURS_OF_BLOCKS = 256
_PROBE_SECONDS = 300
_ENOUGH_DISK = 2 * 10**9


def arguments(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--json", action="store_true", help="one object, for programs")


def execute(options: Namespace) -> int:
    """Check everything; the exit status is 1 when something is wrong."""
    findings = examine()
    if options.json:
        console.as_json(findings)
    else:
        _tell(findings)
    return FAILED if findings["problems"] else DONE


def examine() -> dict[str, Any]:
    """Return all results as JSON takes them."""
    torch, problem = _probe()
    driver = installed_driver()
    findings: dict[str, Any] = {
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in _PACKAGES},
        "extras": installed_extras(),
        "system": platform.platform(),
        "devices": torch.get("devices", []),
        "chosen": torch.get("chosen"),
        "gpus": gpus(),
        "nvidia_driver": asdict(driver) if driver else None,
        "torch_cuda": torch.get("cuda"),
        "cores": os.cpu_count(),
        "memory": _memory(),
        "disk": _disk(runs_folder()),
        "terminal": _terminal(),
        "folders": {name: str(folder()) for name, folder in _FOLDERS.items()},
    }
    report = _compared(driver if findings["gpus"] else None, torch)
    problems = [*filter(None, [problem, report.problem]), *_problems(findings)]
    return findings | {"problems": problems, "notes": [*filter(None, [report.note])]}


def _compared(driver: Driver | None, torch: dict[str, Any]) -> DriverReport:
    """The driver beside torch's build; nothing where torch did not answer."""
    if not torch:
        return DriverReport()
    reached = any(device["device"].startswith("cuda") for device in torch["devices"])
    return compare(driver, torch["cuda"], reached)


def _probe() -> tuple[dict[str, Any], str]:
    """Return torch's report on the devices, and the error message where there is none."""
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-m", "engine.hardware.probe"],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            env=worker_environment(),
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return {}, f"torch did not answer within {_PROBE_SECONDS} s."
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or [f"exit status {answer.returncode}"])[-1]
        return {}, f"torch cannot be loaded: {last}"
    return json.loads(answer.stdout.splitlines()[-1]), ""


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _memory() -> dict[str, int]:
    memory = psutil.virtual_memory()
    return {"total": memory.total, "available": memory.available}


def _disk(folder: Path) -> dict[str, int]:
    """Return sizes of the disk that ``folder`` is on, or will be on."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    usage = shutil.disk_usage(there)
    return {"total": usage.total, "free": usage.free}


def _terminal() -> dict[str, Any]:
    can = abilities(os.environ)
    columns, rows = shutil.get_terminal_size()
    return {
        "is_terminal": sys.stdout.isatty(),
        "kind": can.kind,
        "columns": columns,
        "rows": rows,
        "colours": can.colours,
        "unicode": (sys.stdout.encoding or "").lower().startswith("utf"),
        "inside": list(can.inside),
        "clipboard": can.clipboard,
        "images": _images(can.colours),
    }


def _images(colours: int) -> str:
    """Return how images are shown: by graphics of the terminal, or by what it has instead."""
    kind = find("auto", os.environ).kind
    if kind:
        return f"{kind.capitalize()} graphics"
    return (
        "half blocks" if colours >= _COLOURS_OF_BLOCKS else "in words: half blocks need 256 colours"
    )


def _problems(findings: dict[str, Any]) -> Iterator[str]:
    missing = [name for name, found in findings["versions"].items() if found is None]
    if missing:
        yield f"Not installed: {', '.join(missing)}."
    if findings["disk"]["free"] < _ENOUGH_DISK:
        yield f"Only {size(findings['disk']['free'])} are free where runs are kept."
    terminal = findings["terminal"]
    if terminal["is_terminal"] and (terminal["columns"] < 80 or terminal["rows"] < 24):
        yield "The terminal is smaller than 80×24; the screens need that much."


def _tell(findings: dict[str, Any]) -> None:
    """Everything on a page for people."""
    memory, disk, terminal = findings["memory"], findings["disk"], findings["terminal"]
    console.facts({name: found or "–" for name, found in findings["versions"].items()})
    console.line()
    console.facts(_extras(findings["extras"]))
    console.line()
    console.facts(
        {"system": f"{findings['system']}, {findings['cores']} cores"}
        | {device["device"]: _device(device) for device in findings["devices"]}
        | {"NVIDIA driver": _driver(findings)}
        | {"auto takes": findings["chosen"]}
        | {"memory": f"{size(memory['available'])} of {size(memory['total'])} free"}
        | {"disk": f"{size(disk['free'])} of {size(disk['total'])} free"}
    )
    console.line()
    console.facts(
        {
            "terminal": f"{terminal['kind']}, {terminal['columns']}×{terminal['rows']}"
            + ("" if terminal["is_terminal"] else " (output is not a terminal)"),
            "inside": ", ".join(terminal["inside"]),
            "colours": f"{terminal['colours']:,}",
            "unicode": "yes" if terminal["unicode"] else "no, plain characters are used",
            "clipboard": terminal["clipboard"],
            "images": terminal["images"],
        }
    )
    console.line()
    console.facts(findings["folders"])
    console.line()
    for note in findings["notes"]:
        console.line(note)
    for problem in findings["problems"] or ["Nothing is wrong."]:
        console.line(problem)


def _extras(extras: dict[str, bool]) -> dict[str, str]:
    """The extras that are installed, and the commands that install the others."""
    missing = ",".join(name for name, installed in extras.items() if not installed)
    return {
        "extras": ", ".join(name for name, installed in extras.items() if installed) or "none",
        "not installed": f"pip install 'dltui[{missing}]'" if missing else "",
    }


def _driver(findings: dict[str, Any]) -> str:
    driver, built_for = findings["nvidia_driver"], findings["torch_cuda"]
    if driver is None:
        return ""
    build = f"for CUDA {built_for}" if built_for else "without CUDA"
    return f"{driver['version']}, CUDA up to {driver['cuda']}; torch is built {build}"


def _device(device: dict[str, Any]) -> str:
    memory = device["memory"]
    return device["name"] if memory is None else f"{device['name']}, {size(memory)}"
