"""The section that says which network learns."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from engine.config.registry import TaggedSection
from engine.config.train import FROM_SCRATCH


class ModelConfig(TaggedSection):
    """A model's fields. ``implementation`` names a function of the section and a shape."""

    tasks: ClassVar[tuple[str, ...]] = ()
    """Kinds of task that a model of another package is for; ours are named by their tasks."""
    base_name: ClassVar[str] = ""
    """``package.module:name`` of a function that names the pre-trained weights of a section."""
    bfloat16_on_cpu: ClassVar[bool] = False
    """Whether the automatic precision is bfloat16 on CPUs that multiply it natively too."""
    by_data: ClassVar[frozenset[str]] = frozenset()
    """Dotted names of fields that go by the data where they are empty."""
    wrapper: ClassVar[str] = ""
    """``package.module:name`` of what is put around a network of transformers on images: a function
    of the network, the size of the images, and the section."""
    preprocessing: ClassVar[str] = ""
    """``package.module:name`` of a function that returns the preprocessing of images."""

    @property
    def from_scratch(self) -> bool:
        """Whether there are no pre-trained weights of which the whole network is made."""
        return True

    @property
    def scratch_rate(self) -> float:
        """The learning rate of a new network where none is set."""
        return FROM_SCRATCH

    @property
    def head_only(self) -> bool:
        """Whether a new head alone is trained, and the pre-trained weights stay as they are."""
        return False

    def anchored(self) -> ModelConfig:
        """The same with absolute paths: a run may be resumed from another folder."""
        return self

    def exported(self, folder: Path) -> ModelConfig:
        """The section for a network that was exported to ``folder``, with all it needs there."""
        del folder
        return self
