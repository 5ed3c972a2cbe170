"""Cross-entropy over a vocabulary, in chunks where all logits at once would fill the memory.

A batch of 8 texts of 512 tokens has 2 GB of float32 logits over a vocabulary of 128,000, and as
much again for their gradient. In chunks only one chunk's logits exist at a time. Where the last
layer is a plain matrix, their gradient is computed at once; else they are computed again in the
backward pass.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from engine.data.labels import IGNORED
from engine.models.language.last_layer import body_and_head, head_of, plain
from engine.models.language.linear_cross_entropy import (
    has_gradient_here,
    only_multiplies,
    summed_nats,
)

CHUNK_BYTES = 64 << 20
"""Logits of a chunk, in float32."""
_CACHED_BYTES = 8 << 20
"""The same where a CPU measures them: it passes over them several times while they are cached."""
_LEAST_ROWS = 256
"""Rows of a chunk that a CPU multiplies as fast as more of them."""


def token_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Nats of each label, 0 for those that are not learned; ``[batch, length]``."""
    losses = F.cross_entropy(
        logits.float().flatten(0, -2), labels.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return losses.view(labels.shape)


def summed_loss(network: nn.Module, inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Sum of the nats of all ``[batch, length]`` labels, a scalar with gradient.

    ``inputs`` are those of the network, a decoder of transformers with or without an adapter.
    """
    parts = _called_apart(network, inputs, labels)
    if parts is None:
        return token_losses(network(**inputs, use_cache=False).logits, labels).sum()
    body, head = parts
    hidden: Tensor = body(**inputs, use_cache=False).last_hidden_state
    return chunked_loss(hidden.flatten(0, 1), head, labels.flatten())


def summed_row_loss(
    network: nn.Module, inputs: dict[str, Tensor], learned: Tensor, labels: Tensor
) -> Tensor:
    """Sum of the nats of the labels at the places ``learned`` of one row, with gradient.

    Logits of other places are not computed.
    """
    parts = _called_apart(network, inputs, labels)
    if parts is None:
        logits = network(**inputs, use_cache=False, logits_to_keep=learned).logits
        return token_losses(logits[0], labels).sum()
    body, head = parts
    hidden: Tensor = body(**inputs, use_cache=False).last_hidden_state
    return chunked_loss(hidden[0, learned], head, labels, all_known=True)


def _called_apart(
    network: nn.Module, inputs: dict[str, Tensor], labels: Tensor
) -> tuple[nn.Module, nn.Module] | None:
    """Return body and last layer where these are called in place of the network.

    Where there are few logits and autograd has to go through them, the network makes them.
    """
    parts = body_and_head(network, inputs["input_ids"])
    if parts is None or only_multiplies(parts[1]):
        return parts
    return None if labels.numel() * _outputs(parts[1]) * 4 <= 2 * CHUNK_BYTES else parts


def summed_sequence_loss(
    network: nn.Module, inputs: dict[str, Tensor], labels: Tensor, smoothing: float = 0.0
) -> Tensor:
    """Return the summed loss of an encoder-decoder network, with or without gradient.

    ``smoothing`` is the share of label smoothing: the part of each target spread over all tokens.
    """
    head = head_of(network, inputs)
    if head is None or labels.numel() * _outputs(head) * 4 <= 2 * CHUNK_BYTES:
        return _smoothed(network(**inputs, use_cache=False).logits, labels, smoothing)
    # What becomes of states on their way to that layer, architectures do each in their own way.
    hidden = _before(head, network, inputs).flatten(0, 1)
    bias = getattr(plain(network), "final_logits_bias", None)
    total = hidden.new_zeros((), dtype=torch.float32)
    for states, some in _chunks(hidden, head, labels.flatten()):
        part = head, bias, states, some, smoothing
        within = torch.is_grad_enabled()
        total = total + (
            checkpoint(_sequence_nats, *part, use_reentrant=False)
            if within else _sequence_nats(*part)
        )  # fmt: skip
    return total


def _sequence_nats(
    head: nn.Module, bias: Tensor | None, states: Tensor, labels: Tensor, smoothing: float
) -> Tensor:
    logits = head(states)
    return _smoothed(logits if bias is None else logits + bias, labels, smoothing)


def _smoothed(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    return F.cross_entropy(
        logits.float().flatten(0, -2), labels.flatten(), ignore_index=IGNORED,
        label_smoothing=smoothing, reduction="sum",
    )  # fmt: skip


class _Reached(Exception):
    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self.states = states


def _before(layer: nn.Module, network: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Return the input of ``layer`` in a forward pass, which ends there."""

    def stop(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        raise _Reached(arguments[0])

    hook = layer.register_forward_pre_hook(stop)
    try:
        network.forward(**inputs, use_cache=False)  # a compiled one would be compiled anew
    except _Reached as reached:
        return reached.states
    finally:
        hook.remove()
    raise AssertionError("the last layer was not reached")


def token_sums(logits: Tensor, labels: Tensor) -> Tensor:
    """Nats, hits of the likeliest token, and number of the labels that count, ``[3]``."""
    known = labels != IGNORED
    hits = (logits.argmax(-1) == labels) & known
    sums = torch.stack([token_losses(logits, labels).sum(), hits.sum(), known.sum()])
    # Many small sums stay exact beside a large one.
    return sums.to(torch.float32 if sums.device.type == "mps" else torch.float64)


def measured_sums(network: nn.Module, inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Return :func:`token_sums` of the outputs, without gradient.

    Logits of places without a label are not computed, where the network lets itself be cut there.
    """
    parts = body_and_head(network, inputs["input_ids"])
    if parts is None:
        return token_sums(network(**inputs, use_cache=False).logits, labels)
    body, head = parts
    known = labels != IGNORED
    hidden: Tensor = body(**inputs, use_cache=False).last_hidden_state
    chunks = _chunks(hidden[known], head, labels[known])
    return torch.stack([token_sums(head(states), some) for states, some in chunks]).sum(0)


def label_losses(network: nn.Module, inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """Return the nats of each label, ``[batch, length]``, with or without gradient.

    As :func:`summed_loss`, in chunks where the logits are many.
    """
    parts = body_and_head(network, inputs["input_ids"])
    if parts is None or labels.numel() * _outputs(parts[1]) * 4 <= 2 * CHUNK_BYTES:
        return token_losses(network(**inputs, use_cache=False).logits, labels)
    body, head = parts
    hidden: Tensor = body(**inputs, use_cache=False).last_hidden_state
    some = [
        checkpoint(_each_of, head, states, part, use_reentrant=False)
        for states, part in _chunks(hidden.flatten(0, 1), head, labels.flatten())
    ]
    return torch.cat(some).view(labels.shape)


def chunked_loss(
    hidden: Tensor, head: nn.Module, labels: Tensor, all_known: bool = False
) -> Tensor:
    """Sum of the nats of ``[tokens]`` labels from ``[tokens, width]`` states and the last layer.

    ``all_known`` where no label is to be ignored.
    """
    if has_gradient_here(head, hidden):
        return summed_nats(hidden, head, labels, _rows(hidden, head), all_known)
    total = hidden.new_zeros((), dtype=torch.float32)
    for states, some in _chunks(hidden, head, labels):
        total = total + checkpoint(_nats, head, states, some, use_reentrant=False)
    return total


def _chunks(hidden: Tensor, head: nn.Module, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    rows = _rows(hidden, head)
    return zip(torch.split(hidden, rows), torch.split(labels, rows), strict=True)


def _rows(hidden: Tensor, head: nn.Module) -> int:
    """Return the number of tokens whose logits are computed at once."""
    row = 4 * _outputs(head)
    rows = max(1, CHUNK_BYTES // row)
    again = torch.is_grad_enabled() and not has_gradient_here(head, hidden)
    if hidden.device.type == "cpu" and not again:
        rows = min(rows, max(_LEAST_ROWS, _CACHED_BYTES // row))
    return rows


def _nats(head: nn.Module, states: Tensor, labels: Tensor) -> Tensor:
    return _each_of(head, states, labels).sum()


def _each_of(head: nn.Module, states: Tensor, labels: Tensor) -> Tensor:
    return token_losses(head(states), labels)


def _outputs(head: nn.Module) -> int:
    return int(head.weight.shape[0])  # type: ignore[index]


def body_of(network: nn.Module) -> nn.Module | None:
    """The part that :func:`summed_loss` may call by itself; ``None`` for other networks."""
    if not hasattr(plain(network), "get_decoder"):
        return None
    parts = body_and_head(network)
    return None if parts is None else parts[0]
