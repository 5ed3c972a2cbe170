"""Cross-entropy over a vocabulary, in chunks where all logits at once would fill the memory.

A batch of 8 texts of 512 tokens has 2 GB of float32 logits over a vocabulary of 128,000, and as
much again for their gradient. In chunks only one chunk's logits exist at a time; they are computed
again in the backward pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from engine.text.instructions import IGNORED

CHUNK_BYTES = 64 << 20
"""Logits of a chunk, in float32."""


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
    parts = _body_and_head(network)
    if parts is None or labels.numel() * _outputs(parts[1]) * 4 <= 2 * CHUNK_BYTES:
        return token_losses(network(**inputs, use_cache=False).logits, labels).sum()
    body, head = parts
    hidden: Tensor = body(**inputs, use_cache=False).last_hidden_state
    return chunked_loss(hidden.flatten(0, 1), head, labels.flatten())


def token_sums(logits: Tensor, labels: Tensor) -> Tensor:
    """Nats, hits of the likeliest token, and number of the labels that count, ``[3]``."""
    known = labels != IGNORED
    hits = (logits.argmax(-1) == labels) & known
    sums = torch.stack([token_losses(logits, labels).sum(), hits.sum(), known.sum()])
    # Many small sums stay exact beside a large one.
    return sums.to(torch.float32 if sums.device.type == "mps" else torch.float64)


def measured_sums(network: nn.Module, inputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """:func:`token_sums` of what the network says, as :func:`summed_loss` without gradient."""
    parts = _body_and_head(network)
    if parts is None or labels.numel() * _outputs(parts[1]) * 4 <= 2 * CHUNK_BYTES:
        return token_sums(network(**inputs, use_cache=False).logits, labels)
    body, head = parts
    hidden: Tensor = body(**inputs, use_cache=False).last_hidden_state
    chunks = _chunks(hidden.flatten(0, 1), head, labels.flatten())
    return torch.stack([token_sums(head(states), some) for states, some in chunks]).sum(0)


def chunked_loss(hidden: Tensor, head: nn.Module, labels: Tensor) -> Tensor:
    """Sum of the nats of ``[tokens]`` labels from ``[tokens, width]`` states and the last layer."""
    total = hidden.new_zeros((), dtype=torch.float32)
    for states, some in _chunks(hidden, head, labels):
        total = total + checkpoint(_nats, head, states, some, use_reentrant=False)
    return total


def _chunks(hidden: Tensor, head: nn.Module, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    rows = max(1, CHUNK_BYTES // (4 * _outputs(head)))
    return zip(torch.split(hidden, rows), torch.split(labels, rows), strict=True)


def _nats(head: nn.Module, states: Tensor, labels: Tensor) -> Tensor:
    return token_losses(head(states), labels).sum()


def _outputs(head: nn.Module) -> int:
    return int(head.weight.shape[0])  # type: ignore[index]


def _body_and_head(network: nn.Module) -> tuple[nn.Module, nn.Module] | None:
    """The decoder and its last layer; ``None`` where more than that layer makes the logits."""
    inner: Any = network
    if hasattr(network, "get_base_model"):
        inner = inner.get_base_model()
    config = getattr(inner, "config", None)
    changes = ("final_logit_softcapping", "logit_scale", "logits_scaling")
    if config is None or any(getattr(config, name, None) for name in changes):
        return None
    head, body = inner.get_output_embeddings(), inner.get_decoder()
    if not isinstance(head, nn.Linear) or body is inner or body is None:
        return None
    return body, head
