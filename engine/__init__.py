"""Train neural networks from a configuration: ``from engine import RunConfig, train``.

Importing this package is cheap: nothing of torch is loaded before :func:`train` is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.config import RunConfig
from engine.errors import ConfigError, UserError

if TYPE_CHECKING:
    from engine.training.run import train

__all__ = ["ConfigError", "RunConfig", "UserError", "train"]


def __getattr__(name: str) -> Any:
    """Load ``train``, which needs torch, only when it is asked for."""
    if name == "train":
        from engine.training.run import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
