"""Methods of tasks of version 0.1, which their successors call. Goes with the next release."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn
from typing_extensions import override

from engine.baselines.baseline import Baseline
from engine.tasks.network_files import NetworkFiles
from engine.tasks.shown_samples import ShownSamples


def in_current_terms(task: Any) -> Any:
    """Return a task of a plug-in; what it overrides of version 0.1 is called as it was."""
    methods: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "baseline": ("baselines", _baselines),
        "save_network": ("files", _files),
        "load_network": ("files", _files),
        "save_companions": ("files", _files),
        "call_arguments": ("deployment", _deployment),
        "parameter_groups": ("build_network", _with_groups),
    }
    adapted = {}
    for name, (successor, adapt) in methods.items():
        if hasattr(task, name):
            kind = type(task).__name__
            warnings.warn(f"{kind}.{name} is now {successor}.", DeprecationWarning, stacklevel=2)
            adapted[successor] = adapt
    for successor, adapt in adapted.items():
        setattr(task, successor, adapt(task))
    if not type(task).samples.__module__.startswith("engine."):
        task.samples = _samples(task.samples)
    return task


def _baselines(task: Any) -> Callable[..., list[Baseline]]:
    def baselines(*arguments: Any) -> list[Baseline]:
        found = task.baseline(*arguments)
        return [] if found is None else [Baseline(*found)]

    return baselines


def _samples(usual: Callable[..., Any]) -> Callable[..., ShownSamples]:
    def samples(*arguments: Any) -> ShownSamples:
        found = usual(*arguments)
        return found if isinstance(found, ShownSamples) else ShownSamples(found)

    return samples


@dataclass(frozen=True)
class _Files(NetworkFiles):
    """The files of a network that its task writes and reads itself."""

    task: Any = None
    fitted: Any = None

    @override
    def save(self, network: nn.Module, folder: Path) -> None:
        if hasattr(self.task, "save_network"):
            self.task.save_network(network, self.fitted, folder)
        else:
            super().save(network, folder)

    @override
    def load(self, build: Callable[[], nn.Module], folder: Path) -> nn.Module:
        if not hasattr(self.task, "load_network"):
            return super().load(build, folder)
        network: nn.Module = self.task.load_network(self.fitted, folder)
        return network


def _files(task: Any) -> Callable[[Any], NetworkFiles]:
    usual = task.files

    def files(fitted: Any) -> NetworkFiles:
        now: NetworkFiles = usual(fitted)
        companions = now.companions
        if hasattr(task, "save_companions"):
            companions = lambda folder: task.save_companions(fitted, folder)  # noqa: E731
        return _Files(now.of_library, companions, task, fitted)

    return files


def _deployment(task: Any) -> Callable[[], Any]:
    usual = task.deployment
    return lambda: replace(usual(), arguments=task.call_arguments)


def _with_groups(task: Any) -> Callable[[Any], nn.Module]:
    usual = task.build_network

    def build_network(fitted: Any) -> nn.Module:
        network: Any = usual(fitted)
        network.parameter_groups = lambda: task.parameter_groups(network)
        built: nn.Module = network
        return built

    return build_network
