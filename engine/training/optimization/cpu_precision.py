"""The automatic precision on a CPU: bfloat16 for networks of large products, where it is fast."""

from __future__ import annotations

from engine.config.run_config import RunConfig
from engine.hardware.device import chosen_type
from engine.runs.events import Log
from engine.runs.session import RunSession
from engine.torch_private import cpu_multiplies_bfloat16


def takes_bfloat16(config: RunConfig) -> bool:
    """Return whether the precision is automatic and bfloat16 on this machine's CPU.

    Raises :class:`~engine.errors.TrainingError` for a missing device.
    """
    automatic = config.compute.precision == "auto" and config.model.bfloat16_on_cpu
    return automatic and chosen_type(config.compute) == "cpu" and cpu_multiplies_bfloat16()


def settle_precision(session: RunSession, leads: bool) -> None:
    """Save bfloat16 as the precision where it is automatic and pays.

    From then on the run computes in it on any machine.
    """
    if not takes_bfloat16(session.config):
        return
    session.settle(["compute.precision=bfloat16"], write=leads)
    if leads:
        session.events.write(Log(level="info", message="The precision is bfloat16."))
