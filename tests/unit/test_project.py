"""Promises about the project's own files."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIRED = [
    *PROJECT["dependencies"],
    *(
        line
        for extra in PROJECT["optional-dependencies"].values()
        for line in extra
        if not line.startswith("dltui[")  # the extras of the project itself
    ),
]


def pins() -> dict[str, str]:
    """The versions in ``constraints.txt`` by normalised name."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {name.lower().replace("_", "-"): version for name, version in pairs}


@pytest.mark.parametrize("line", REQUIRED)
def test_every_direct_dependency_is_pinned_within_its_bounds(line: str) -> None:
    requirement = Requirement(line)
    assert pins()[requirement.name.lower()] in requirement.specifier


def test_pins_come_without_addresses_and_paths() -> None:
    text = (ROOT / "constraints.txt").read_text()
    assert "/" not in text
    assert "@" not in text


@pytest.mark.parametrize(
    ("package", "version"), [("torch", "2.11.0"), ("transformers", "5.17.0"), ("python", "3.13.0")]
)
def test_the_bounds_admit_what_is_promised(package: str, version: str) -> None:
    lines = [*PROJECT["dependencies"], f"python{PROJECT['requires-python']}"]
    (requirement,) = (r for r in map(Requirement, lines) if r.name == package)
    assert version in requirement.specifier
