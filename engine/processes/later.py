"""Large packages that few runs need, imported when something of them is first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """Stands for a module that it imports at the first use: ``Later("sklearn.cluster").KMeans``.

    For packages without types, as a type checker sees nothing behind it. Of an extra, whoever
    uses it has looked for it before.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
