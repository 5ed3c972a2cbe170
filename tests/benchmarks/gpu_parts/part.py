"""The interface of a part: its arguments, its device, its time budget, and its rows.

A part is a script in this folder that ends in ``main(rows)``::

    from part import Part, main

    def rows(part: Part) -> None:
        with part.measured("MLP") as row:
            row["updates_per_second"] = ...

    if __name__ == "__main__":
        main(rows)

Importing this module makes ``engine`` importable without an installation.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import platform
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

PACKAGES = ("torch", "torchvision", "transformers", "peft", "datasets", "bitsandbytes", "numpy")
"""Packages whose versions are reported with the figures."""


class Skipped(Exception):
    """Raised inside :meth:`Part.measured` for a row that cannot be measured on this machine."""


@dataclass
class Part:
    """The settings of a part and its output file.

    Attributes:
        rows: the file of JSON lines that rows are appended to.
        smoke: whether the part runs as a tiny smoke test.
        device: ``cuda`` or ``cpu``.
        seconds: the time budget of the whole part.
    """

    rows: Path
    smoke: bool
    device: str
    seconds: float
    begun: float = field(default_factory=time.monotonic)

    @property
    def cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.device == "cuda"

    def seconds_left(self) -> float:
        """Seconds of the budget that remain; negative once it is used up."""
        return self.begun + self.seconds - time.monotonic()

    def row(self, name: str, **figures: Any) -> None:
        """Append a row at once, so that a later crash of the process does not lose it."""
        line = json.dumps({"name": name, **figures}, default=str)
        with self.rows.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)

    def skipped(self, name: str, why: str) -> None:
        """Append a row that was not measured, with the reason."""
        self.row(name, skipped=why)

    @contextmanager
    def measured(self, name: str) -> Iterator[dict[str, Any]]:
        """A row to fill in: written at the end with its seconds, or with the error.

        An exception ends the row, not the part. Unreferenced GPU memory is released.
        """
        figures: dict[str, Any] = {}
        begun = time.perf_counter()
        try:
            yield figures
        except Skipped as why:
            figures["skipped"] = str(why)
        except Exception as error:  # noqa: BLE001 - an error in one row must not lose the others
            traceback.print_exc()
            figures["error"] = describe(error)
        figures.setdefault("seconds", round(time.perf_counter() - begun, 3))
        self.row(name, **figures)
        _release()


def script(name: str) -> Any:
    """Import a script of ``tests/benchmarks``, whose name may also be that of a part."""
    spec = importlib.util.spec_from_file_location(
        f"benchmark_{name}", ROOT / "tests" / "benchmarks" / f"{name}.py"
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look up their module there
    spec.loader.exec_module(module)
    return module


def describe(error: BaseException) -> str:
    """An error as one line: its type and the beginning of its message."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}"[:500]


def _release() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def machine() -> dict[str, Any]:
    """The GPU, the driver and the versions; the processor if there is no GPU."""
    import torch

    found: dict[str, Any] = {"python": platform.python_version(), "cuda": torch.version.cuda}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    if not torch.cuda.is_available():
        return {"device": "cpu", "card": None, "driver": None, "cudnn": None, **found}
    card = torch.cuda.get_device_properties(0)
    return {
        "device": "cuda",
        "card": card.name,
        "memory_gib": round(card.total_memory / 2**30, 1),
        "capability": f"{card.major}.{card.minor}",
        "driver": _driver(),
        "cudnn": torch.backends.cudnn.version(),
        **found,
    }


def _driver() -> str | None:
    try:
        import pynvml

        pynvml.nvmlInit()
        version = pynvml.nvmlSystemGetDriverVersion()
    except Exception as error:  # noqa: BLE001 - reported in the results in place of the version
        return describe(error)
    return version.decode() if isinstance(version, bytes) else str(version)


def main(rows: Callable[[Part], None]) -> None:
    """Run a part with the arguments of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=Path, required=True, help="file that rows are appended to")
    parser.add_argument("--smoke", action="store_true", help="everything tiny")
    parser.add_argument("--seconds", type=float, default=90.0, help="time budget")
    asked = parser.parse_args()
    begun = time.monotonic()
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows(Part(asked.rows, asked.smoke, device, asked.seconds, begun))


if __name__ == "__main__":
    print(json.dumps(machine()))
