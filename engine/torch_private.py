"""The private names of torch that this package uses.

``tests/unit/test_private_names.py`` checks that they exist and behave as expected.
"""

from __future__ import annotations

import inspect
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._python_dispatch import _disable_current_modes as without_modes
from torch.utils._pytree import (
    tree_flatten_with_path,
    tree_iter,
    tree_leaves,
    tree_map,
    tree_map_only,
    tree_unflatten,
)

__all__ = [
    "COMPILER",
    "SGD",
    "AdamW",
    "BatchNorm",
    "DataDependentOutputException",
    "DynamicOutputShapeException",
    "FakeTensor",
    "FakeTensorMode",
    "TorchDispatchMode",
    "changes_arguments",
    "convertible_fakes",
    "cpu_multiplies_bfloat16",
    "foreach_add_",
    "foreach_copy_",
    "foreach_div_",
    "foreach_lerp_",
    "foreach_mul_",
    "foreach_norm",
    "fused_adamw_",
    "memory_of",
    "onednn_has_bfloat16",
    "operation_name",
    "tree_flatten_with_path",
    "tree_iter",
    "tree_leaves",
    "tree_map",
    "tree_map_only",
    "tree_unflatten",
    "with_versions",
    "without_modes",
    "writes_into",
]

COMPILER = ("torch._dynamo", "torch._inductor", "torch._functorch")
"""Modules whose exceptions are those of the compiler."""

foreach_add_ = torch._foreach_add_
foreach_copy_ = torch._foreach_copy_
foreach_div_ = torch._foreach_div_
foreach_lerp_ = torch._foreach_lerp_
foreach_mul_ = torch._foreach_mul_
foreach_norm = torch._foreach_norm
fused_adamw_ = torch._fused_adamw_


def onednn_has_bfloat16() -> bool:
    """Return whether oneDNN computes in bfloat16 on this CPU."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def cpu_multiplies_bfloat16() -> bool:
    """Return whether this CPU has instructions for products in bfloat16."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def with_versions(weights: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Return weights with the versions of a network's modules, without which some load nothing.

    Files do not keep them: torch has them beside the names of a state.
    """
    state = OrderedDict(weights)
    state._metadata = network.state_dict()._metadata  # type: ignore[attr-defined]
    return state


def _without_compiler(step: Any) -> Any:
    """An optimizer's step as it stands in torch's source, without what surrounds it.

    Torch surrounds it by breaks in compiled code, for which it imports its compiler: more than a
    second, longer than torch itself takes. No optimizer is called from compiled code here.
    """
    return torch.no_grad()(inspect.unwrap(step))


def _spare_compiler(method: Any) -> None:
    """Mark a method of all optimizers as one that is not compiled, which torch would do at its
    first call, by importing its compiler."""
    plain = getattr(method, "__wrapped__", None)
    if plain is not None and "torch._dynamo" not in sys.modules:
        vars(plain).setdefault("__dynamo_disable", plain)


class SGD(torch.optim.SGD):
    """Torch's SGD, which makes its updates without importing the compiler."""

    step = _without_compiler(torch.optim.SGD.step)


class AdamW(torch.optim.AdamW):
    """Torch's AdamW, which makes its updates without importing the compiler."""

    step = _without_compiler(torch.optim.AdamW.step)


for _name in ("add_param_group", "state_dict", "load_state_dict"):
    _spare_compiler(getattr(torch.optim.Optimizer, _name))


def memory_of(storage: torch.UntypedStorage) -> int:
    """Return what tells a storage from others, also one without content."""
    return int(storage._cdata)


def writes_into(tensor: Tensor) -> int:
    """Return how often the memory of a tensor was written into, in place of a new result."""
    return tensor._version


def operation_name(function: Any) -> str:
    """Return the name of an operation that a dispatch mode sees, without its library."""
    name: str = function._schema.name
    return name.rpartition("::")[2]


def changes_arguments(function: Any) -> bool:
    """Return whether an operation that a dispatch mode sees writes into its arguments."""
    return bool(function._schema.is_mutable)


@contextmanager
def convertible_fakes() -> Iterator[None]:
    """Let modules of fake tensors be moved and converted within.

    torch refuses it, as it holds weak references to the very tensors that it would swap.
    """
    usual = nn.Module._apply

    def apply(module: nn.Module, change: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        for child in module.children() if recurse else ():
            apply(child, change)
        for name, weight in module._parameters.items():
            if weight is not None and (changed := change(weight)) is not weight:
                module._parameters[name] = nn.Parameter(changed.detach(), weight.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = change(buffer)
        return module

    nn.Module._apply = apply  # type: ignore[method-assign]
    try:
        yield
    finally:
        nn.Module._apply = usual  # type: ignore[method-assign]
