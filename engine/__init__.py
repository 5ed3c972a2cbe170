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

from typing import TYPE_CHECKING, Any

from engine.config.moved import find_moved
from engine.config.run_config import RunConfig
from engine.errors import ConfigError, UserError
from engine.launch.start import launch
from engine.runs.stream import stream

if TYPE_CHECKING:
    from engine.launch.in_process import train

find_moved()

__all__ = ["ConfigError", "RunConfig", "UserError", "launch", "stream", "train"]


def __getattr__(name: str) -> Any:
    """Load ``train``, which needs torch, only when it is asked for."""
    if name == "train":
        from engine.launch.in_process import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
