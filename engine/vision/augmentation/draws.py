"""Random numbers for a batch that are drawn on the CPU.

They depend on the seed of the batch's generator alone, so choices between operations are the same
on all devices, and no device is waited for.
"""

from __future__ import annotations

import numpy as np
from torch import Generator


def numbers_of(generator: Generator, purpose: int) -> np.random.Generator:
    """Return a generator for one ``purpose``, whatever else is drawn for the batch."""
    return np.random.default_rng([generator.initial_seed(), purpose])
