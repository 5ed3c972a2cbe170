"""The section that says which network learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from engine.sections import TaggedSection

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn


class ModelConfig(TaggedSection):
    """A model's fields; :meth:`build` makes the network for the shape that the data asks for."""

    tasks: ClassVar[tuple[str, ...]] = ()
    """Kinds of task that a model of another package is for; ours are named by their tasks."""

    def build(self, shape: Any) -> nn.Module:
        """The network with fresh (or pre-trained) weights, on torch's current default device.

        ``shape`` is one of :mod:`engine.models.shapes`; which one, the task decides.
        """
        raise NotImplementedError

    def anchored(self) -> ModelConfig:
        """The same with whole paths, for a run that may go on from another folder."""
        return self

    @property
    def base(self) -> str:
        """Name or folder of the trained weights that it begins with; empty for new weights."""
        return ""

    def exported(self, folder: Path) -> ModelConfig:
        """The section for a network that was exported to ``folder``, with all it needs there."""
        del folder
        return self
