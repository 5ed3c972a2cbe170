"""Errors that say that memory ran out, as torch and its libraries raise them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.hardware.memory import out_of_memory

ONEDNN = """
import resource
import torch
from engine.hardware.memory import out_of_memory

images, layer = torch.randn(4, 32, 24, 24), torch.nn.Conv2d(32, 32, 3)
layer(torch.randn(2, 32, 16, 16))  # what is loaded at the first call
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
try:
    layer(images)
except RuntimeError as error:
    print(type(error).__name__, out_of_memory(error), str(error)[:40])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")
def test_a_kernel_of_onednn_without_memory_is_out_of_memory() -> None:
    """In a process of its own, whose memory is limited."""
    done = subprocess.run(
        [sys.executable, "-c", ONEDNN], capture_output=True, text=True, check=True
    )
    assert done.stdout == "RuntimeError True could not create a primitive\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("could not create a primitive", True),
        ("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory", True),
        ("could not create a primitive descriptor for the matmul primitive.", False),
        ("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)", False),
    ],
)
def test_messages_tell_a_lack_of_memory_from_a_lack_of_a_kernel(text: str, expected: bool) -> None:
    assert out_of_memory(RuntimeError(text)) is expected
