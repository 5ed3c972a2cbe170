"""TabICL as a baseline of tables, where it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.config.compute import ComputeConfig
from engine.config.tasks.tabular import TabularConfig

if TYPE_CHECKING:
    from engine.baselines.tabicl import TabIcl


def tabicl_of(section: TabularConfig, compute: ComputeConfig) -> TabIcl | None:
    """Return the baseline; ``None`` where it is not asked for."""
    if not section.tabicl:
        return None
    from engine.baselines.tabicl import TabIcl  # the client of the hub, rarely needed

    return TabIcl(section.tabicl, section.tabicl_rows, compute.device)
