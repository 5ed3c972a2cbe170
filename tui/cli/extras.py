"""The extras of the package, and which of them are installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement

_FOR_DEVELOPERS = frozenset({"bench", "lint", "test"})


def installed_extras() -> dict[str, bool]:
    """Return for each extra whether all that it requires is installed."""
    try:
        names = metadata("dltui").get_all("Provides-Extra") or []
        wanted = [Requirement(line) for line in requires("dltui") or ()]
    except PackageNotFoundError:
        return {}
    return {
        extra: all(_is_installed(requirement) for requirement in _of(extra, wanted))
        for extra in sorted(set(names) - _FOR_DEVELOPERS)
    }


def _of(extra: str, wanted: list[Requirement]) -> list[Requirement]:
    return [one for one in wanted if one.marker and one.marker.evaluate({"extra": extra})]


def _is_installed(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(version(requirement.name), prereleases=True)
    except PackageNotFoundError:
        return False
