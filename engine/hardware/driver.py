"""The NVIDIA driver, and whether it is new enough for torch's build; loads no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pynvml

from engine.hardware.resources import gpus


@dataclass(frozen=True, slots=True)
class Driver:
    """An NVIDIA driver."""

    version: str
    """Version number, such as ``550.54.15``."""
    cuda: str
    """The newest CUDA version that it supports, as in ``12.4``."""


@dataclass(frozen=True, slots=True)
class DriverReport:
    """A sentence about driver and build; empty where all is well."""

    problem: str = ""
    """The GPU cannot be used."""
    note: str = ""
    """The GPU can be used, with restrictions."""


def installed_driver() -> Driver | None:
    """Return this machine's driver, from NVML; ``None`` where there is none."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        number = int(pynvml.nvmlSystemGetCudaDriverVersion_v2())
        version = str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()
    return Driver(version, f"{number // 1000}.{number % 1000 // 10}")


def why_unused(built_for: str | None) -> str:
    """Return why torch, which finds no GPU, does not use the one of this machine.

    Empty where there is none, or where ``CUDA_VISIBLE_DEVICES`` hides it.
    """
    if "CUDA_VISIBLE_DEVICES" in os.environ or not gpus():
        return ""
    return compare(installed_driver(), built_for, reached=False).problem


def compare(driver: Driver | None, built_for: str | None, reached: bool) -> DriverReport:
    """Compare a driver with the CUDA version that torch is ``built_for`` (``None``: without CUDA).

    ``reached``: whether torch finds a GPU; without a ``driver`` there is nothing to compare. Within
    one major version CUDA runs on an older driver, with restrictions; across major versions only
    where NVIDIA's package for forward compatibility is installed, and torch then finds the GPU.
    """
    if driver is None:
        return DriverReport()
    if built_for is None:
        return DriverReport(
            ""
            if reached
            else "There is an NVIDIA GPU, but torch is built without CUDA: install a torch build "
            f"for CUDA {_major(driver.cuda)}."
        )
    older = _numbers(driver.cuda) < _numbers(built_for)
    if reached:
        return DriverReport(note=_restricted(driver, built_for) if older else "")
    if older:
        return DriverReport(_too_old(driver, built_for))
    return DriverReport(
        f"There is an NVIDIA GPU, but torch, built for CUDA {built_for}, does not find it: check "
        f"CUDA_VISIBLE_DEVICES and that the driver {driver.version} works (nvidia-smi)."
    )


def _too_old(driver: Driver, built_for: str) -> str:
    other = _major(driver.cuda) != _major(built_for)
    way = f", or install a torch build for CUDA {_major(driver.cuda)}" if other else ""
    return (
        f"torch cannot use the GPU: it is built for CUDA {built_for}, and the NVIDIA driver "
        f"{driver.version} supports CUDA {driver.cuda} at most: update the driver{way}."
    )


def _restricted(driver: Driver, built_for: str) -> str:
    return (
        f"The NVIDIA driver {driver.version} supports CUDA {driver.cuda} at most, and torch is "
        f"built for CUDA {built_for}: most works, but update the driver if a kernel fails to load."
    )


def _major(version: str) -> str:
    return version.partition(".")[0]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])
