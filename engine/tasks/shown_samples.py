"""A few inputs with what the network makes of them, for the monitor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.reports.picture import Picture


@dataclass(frozen=True)
class ShownSamples:
    """Samples of one batch and one forward pass, in one order."""

    texts: Sequence[dict[str, str]] = ()
    inputs: Sequence[Picture] = ()
    """The inputs that are images, named as in the texts; empty for others."""
    outputs: Sequence[Picture] = ()
    """The outputs that are drawn into these images, named alike."""
