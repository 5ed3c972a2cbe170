"""A trained network as files, which other programs read too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_model, save_model
from torch import nn
from typing_extensions import override

from engine.torch_private import with_versions

WEIGHTS = "network.safetensors"


def _no_companions(folder: Path) -> None:
    del folder


@dataclass(frozen=True)
class NetworkFiles:
    """A network's files in a folder, written and read."""

    of_library: bool
    """Whether the weights are in the format of the network's library, named by ``model.path``."""
    companions: Callable[[Path], None] = _no_companions
    """Writes what others need beside the weights, such as a tokenizer. Raises ``OSError``."""

    def save(self, network: nn.Module, folder: Path) -> None:
        """Write the weights into ``folder``. Raises ``OSError``."""
        if self.of_library:
            saved: Any = network
            saved.save_pretrained(folder)
        else:
            save_model(network, str(folder / WEIGHTS))

    def load(self, build: Callable[[], nn.Module], folder: Path) -> nn.Module:
        """Return the network that ``build`` makes, with the weights that :meth:`save` wrote."""
        network = build()
        if not self.of_library:  # else ``model.path`` is the folder by now
            load_model(_Versioned(network), str(folder / WEIGHTS))
        return network


class _Versioned(nn.Module):
    """A network for ``load_model``, which reads the weights without their versions."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._plain = [network]

    @override
    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return self._plain[0].state_dict(*args, **kwargs)

    @override
    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        network = self._plain[0]
        return network.load_state_dict(with_versions(state_dict, network), *args, **kwargs)
