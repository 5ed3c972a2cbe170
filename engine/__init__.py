"""Train neural networks from a configuration.

    from engine import RunConfig, train

    config = RunConfig.parse({
        "task": {"kind": "image_classification"},
        "data": {"kind": "builtin", "name": "digits"},
        "model": {"kind": "cnn"},
    })
    run = train(config.override(["train.epochs=5"]))  # here and now
    print(run.report.read()["metrics"])

or in a process of its own, watched as it goes:

    from engine import launch, stream
    from engine.runs.events import Evaluated

    for event in stream(launch(config).run):
        if isinstance(event, Evaluated):
            print(event.step, event.metrics)

Importing this package is cheap: nothing of torch is loaded before :func:`train` is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.config.moved import find_moved
from engine.errors import ConfigError, UserError
from engine.launch.start import launch  # at once: a package of this one has the same name

if TYPE_CHECKING:
    from engine.config.run_config import RunConfig
    from engine.launch.in_process import train
    from engine.runs.stream import stream

find_moved()

__all__ = ["ConfigError", "RunConfig", "UserError", "launch", "stream", "train"]

_LOADED_LATER = {
    "RunConfig": "engine.config.run_config",
    "stream": "engine.runs.stream",
    "train": "engine.launch.in_process",
}
"""Modules by what is taken from them: the terminal's first screen needs none of them."""


def __getattr__(name: str) -> Any:
    """Load what takes time only when it is asked for."""
    if name in _LOADED_LATER:
        return getattr(import_module(_LOADED_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
