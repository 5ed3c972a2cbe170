"""Module names of version 0.1, for programs that still import them. Goes with the next release."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MOVED = {
    "engine.data.section": "engine.config.data.base",
    "engine.events": "engine.runs.events",
    "engine.fields": "engine.config.fields",
    "engine.metric": "engine.config.metric",
    "engine.models.section": "engine.config.models.base",
    "engine.run_directory": "engine.runs.directory",
    "engine.sections": "engine.config.registry",
    "engine.summary": "engine.reports.data_summary",
    "engine.tasks.section": "engine.config.tasks.base",
    "engine.training.batch": "engine.batches.source",
    "engine.views": "engine.reports.views",
}
"""New names by the old ones, of modules that plug-ins and programs around runs import."""
PARTS = {"engine.run_directory": ("engine.runs.status",)}
"""Further modules into which one was cut."""


class _Finder(MetaPathFinder, Loader):
    """Finds modules by their old names."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """The module under its old name."""
        del path, target
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Give the old name all that the new one has."""
        new = MOVED[module.__name__]
        warnings.warn(f"{module.__name__} is now {new}.", DeprecationWarning, stacklevel=2)
        for place in (new, *PARTS.get(module.__name__, ())):
            content = vars(import_module(place))
            module.__dict__.update({k: v for k, v in content.items() if not k.startswith("__")})


_FINDER = _Finder()


def find_moved() -> None:
    """Let imports find the old names as well, after everything else."""
    if _FINDER not in sys.meta_path:
        sys.meta_path.append(_FINDER)
