"""A machine without network gets missing packages from a folder of wheels."""

from __future__ import annotations

import importlib
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def wheels(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("gpu_parts.wheels")


def wheel(folder: Path, name: str, *requires: str) -> None:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 99.0"]
    lines += [f"Requires-Dist: {need}" for need in requires]
    with zipfile.ZipFile(folder / f"{name}-99.0-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}/__init__.py", "")
        file.writestr(f"{name}-99.0.dist-info/METADATA", "\n".join(lines) + "\n")


def test_only_what_is_missing_or_too_old_is_unpacked(wheels: Any, tmp_path: Path) -> None:
    needs = ("numpy>=1", "tqdm>=99", f"packaging=={version('packaging')}", 'rich>=99; extra == "x"')
    wheel(tmp_path, "not_installed_here", *needs)
    for name in ("numpy", "tqdm", "packaging", "rich"):
        wheel(tmp_path, name)
    target = tmp_path / "target"
    assert wheels.unpack_missing([tmp_path], target) == ["not-installed-here", "tqdm"]
    assert (target / "not_installed_here" / "__init__.py").exists()
    assert not (target / "numpy").exists()


def test_folders_that_do_not_exist_have_no_wheels(wheels: Any, tmp_path: Path) -> None:
    assert wheels.unpack_missing([tmp_path / "none"], tmp_path / "target") == []
