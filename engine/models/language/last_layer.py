"""The last layer of a language model, and whether it alone makes the logits.

Losses over a large vocabulary call the body and the last layer themselves. That is right only where
nothing else is done: architectures cap or scale logits, or transform the states in between, and
their configurations have many names for it. So it is seen in a forward pass over a few tokens, in
which results are replaced by tensors that have to come out as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from engine.models.language.segment_lengths import segments
from engine.torch_private import FakeTensor, memory_of, writes_into

_TOKENS = 8
_seen: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


def plain(network: Any) -> Any:
    """Return the network without its adapter."""
    return network.get_base_model() if hasattr(network, "get_base_model") else network


def body_and_head(
    network: nn.Module, ids: Tensor | None = None
) -> tuple[nn.Module, nn.Module] | None:
    """Return a decoder and its last layer; ``None`` where more than these make the logits.

    ``ids`` are tokens of ``[batch, length]``, of which a few are tried out.
    """
    inner = plain(network)
    head, body = inner.get_output_embeddings(), inner.get_decoder()
    if not isinstance(head, nn.Linear) or body is None or body in (inner, head):
        return None
    if inner not in _seen:
        if ids is None:
            ids = torch.zeros(1, 1, dtype=torch.long, device=head.weight.device)
        _seen[inner] = _nothing_around(inner, body, head, ids[:1, :_TOKENS])
    return (body, head) if _seen[inner] else None


def head_of(network: nn.Module, inputs: dict[str, Tensor]) -> nn.Linear | None:
    """Return the last layer of a network with an encoder; ``None`` where more makes the logits.

    A buffer ``final_logits_bias`` may be added to its outputs. ``inputs`` are an example.
    """
    inner = plain(network)
    head = inner.get_output_embeddings()
    if not isinstance(head, nn.Linear):
        return None
    if inner not in _seen:
        few = {name: part[:1, :_TOKENS] for name, part in inputs.items()}
        _seen[inner] = _nothing_behind(inner, head, few)
    return head if _seen[inner] else None


class _Marked:
    """A tensor that takes the place of a result, and is recognised where it comes out."""

    def __init__(self) -> None:
        self._value: Tensor | None = None
        self._writes = 0

    def instead_of(self, result: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the tensor, of the shape of ``result``."""
        numbers = torch.arange(result.numel(), device=result.device) % 11 - 5
        self._value = numbers.view(result.shape).to(dtype)
        self._writes = writes_into(self._value)
        return self._value

    def is_(self, found: Tensor, bias: Tensor | None = None) -> bool:
        """Return whether ``found`` is that tensor as it was, or with ``bias`` added."""
        marked = self._value
        if marked is None or found.shape != marked.shape or writes_into(marked) != self._writes:
            return False
        if bias is not None and not isinstance(found, FakeTensor):
            return torch.equal(found, marked + bias)
        return bias is not None or _memory(found) == _memory(marked)


def _memory(tensor: Tensor) -> int:
    # Sharded tensors are of a package that takes a second to import, which most runs do without.
    local: Tensor = getattr(tensor, "to_local", lambda: tensor)()
    return memory_of(local.untyped_storage())


def _nothing_around(network: nn.Module, body: nn.Module, head: nn.Module, ids: Tensor) -> bool:
    """Return whether the head reads the states of the body, and its outputs are the logits."""
    states, logits = _Marked(), _Marked()
    read: list[Tensor] = []

    def leave(_: nn.Module, __: Any, output: Any) -> Any:
        hidden = output.last_hidden_state
        output.last_hidden_state = states.instead_of(hidden, hidden.dtype)
        return output

    with ExitStack() as hooks:
        hooks.callback(body.register_forward_hook(leave).remove)
        hooks.callback(head.register_forward_pre_hook(lambda _, given: read.extend(given)).remove)
        hooks.callback(head.register_forward_hook(_marking(logits)).remove)
        found = _logits(network, {"input_ids": ids})
    return len(read) == 1 and states.is_(read[0]) and logits.is_(found)


def _nothing_behind(network: nn.Module, head: nn.Module, inputs: dict[str, Tensor]) -> bool:
    logits = _Marked()
    with ExitStack() as hooks:
        hooks.callback(head.register_forward_hook(_marking(logits)).remove)
        found = _logits(network, inputs)
    bias: Tensor | None = getattr(network, "final_logits_bias", None)
    return logits.is_(found, bias)


def _marking(logits: _Marked) -> Callable[..., Tensor]:
    """Return a hook; what is float32 is not copied where logits are cast to it."""
    return lambda _, __, output: logits.instead_of(output, torch.float32)


def _logits(network: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    training = [part for part in network.modules() if part.training]
    for part in training:  # dropout would take random numbers from the training
        part.training = False
    try:
        with segments(), torch.inference_mode(False), torch.no_grad():
            # Not as a call, as a compiled network would be compiled anew.
            found: Tensor = network.forward(**inputs, use_cache=False).logits
    finally:
        for part in training:
            part.training = True
    return found
