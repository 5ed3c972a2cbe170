"""Linear layers over trend and season."""

from __future__ import annotations

from typing import Literal

from engine.config.fields import option
from engine.config.models.base import ModelConfig


class DLinearConfig(ModelConfig):
    """DLinear (Zeng et al. 2022): small and fast; looks at the targets' own past alone."""

    kind: Literal["dlinear"] = "dlinear"
    title = "DLinear"
    implementation = "engine.models.series.dlinear:build"

    kernel_size: int = option(
        25, "Kernel size of the moving average that separates the trend", ge=1, unit="rows"
    )
    individual: bool = option(False, "Train separate layers for each target")
    window_norm: Literal["none", "last", "standard"] = option(
        "none",
        "Normalization of each window: by its last value, or by its mean and standard deviation",
    )
