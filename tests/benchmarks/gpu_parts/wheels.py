"""Packages that are missing on a machine without network, from the wheels of ``make gpu-wheels``.

A wheel is unpacked if its package is missing, or older than another unpacked wheel requires.
Everything else on the machine is unchanged.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from email.parser import Parser
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def unpack_missing(folders: Iterable[Path], target: Path) -> list[str]:
    """Unpack missing packages into ``target``; return their names in order."""
    wheels = {_name(wheel): wheel for folder in folders for wheel in sorted(folder.glob("*.whl"))}
    waiting = [name for name in wheels if _installed(name) is None]
    unpacked: list[str] = []
    while waiting:
        name = waiting.pop(0)
        if name in unpacked:
            continue
        with zipfile.ZipFile(wheels[name]) as wheel:
            wheel.extractall(target)
        unpacked.append(name)
        waiting += [need for need in _unmet(wheels[name]) if need in wheels]
    return unpacked


def _name(wheel: Path) -> str:
    return canonicalize_name(wheel.name.split("-")[0])


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _unmet(wheel: Path) -> list[str]:
    """Packages that a wheel requires in a version other than the installed one."""
    with zipfile.ZipFile(wheel) as content:
        path = next(name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        lines = Parser().parsestr(content.read(path).decode()).get_all("Requires-Dist") or []
    unmet = []
    for need in map(Requirement, lines):
        version = _installed(need.name)
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        if version is not None and not need.specifier.contains(version, prereleases=True):
            unmet.append(canonicalize_name(need.name))
    return unmet
