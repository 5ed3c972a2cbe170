"""Attention within segments: samples one after the other in a row, none of which sees another.

An implementation of attention by transformers' own interface, named :data:`SEGMENTS`. Within
:func:`~engine.models.language.segment_lengths.segments` each sample attends to itself alone, by
torch's kernels, so nothing is computed between samples; a mask over the whole row would waste most
of it. Outside it is ``sdpa``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.varlen import varlen_attn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from engine.models.language.segment_lengths import current_lengths

SEGMENTS = "dltui_segments"
_FLASH_WIDTH = 256
"""Widest head of the kernel for segments on CUDA."""


@dataclass(frozen=True)
class _Segments:
    """Stands for the mask, which layers pass on to their attention."""

    lengths: tuple[int, ...]
    masks: tuple[Tensor | None, ...]
    """The part of itself that each segment sees; ``None`` where that is all before it."""


def _mask(**options: Any) -> _Segments | Tensor | None:
    """Return the mask of a row's segments, or that of ``sdpa``."""
    whole = ALL_MASK_ATTENTION_FUNCTIONS["sdpa"]
    lengths = current_lengths()
    if lengths is None:
        mask: Tensor | None = whole(**options)
        return mask
    if options.get("use_vmap") or options.get("attention_mask") is not None:
        raise NotImplementedError("the network has a mask of its own")
    local = options.get("local_size")
    masks: list[Tensor | None] = []
    for length, end in zip(lengths, accumulate(lengths), strict=True):
        place = {"q_length": length, "q_offset": end - length}
        place |= {"kv_length": length, "kv_offset": end - length, "allow_is_causal_skip": False}
        limited = local is not None and length > local
        masks.append(whole(**options | place) if limited else None)
    return _Segments(lengths, tuple(masks))


def _attention(
    module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Any, **options: Any
) -> tuple[Tensor, None]:
    """Return ``[batch, length, heads, width]`` from queries, keys and values by head."""
    whole = ALL_ATTENTION_FUNCTIONS["sdpa"]
    if not isinstance(mask, _Segments):
        result: tuple[Tensor, None] = whole(module, query, key, value, mask, **options)
        return result
    if _has_kernel(query, value, mask, options):
        return _by_kernel(query, key, value, mask.lengths, options.get("scaling")), None
    lengths = list(mask.lengths)
    parts = zip(*(torch.split(part, lengths, 2) for part in (query, key, value)), strict=True)
    outputs = [
        whole(module, *part, own, **options)[0] for part, own in zip(parts, mask.masks, strict=True)
    ]
    return torch.cat(outputs, dim=1), None


def _has_kernel(query: Tensor, value: Tensor, mask: _Segments, options: dict[str, Any]) -> bool:
    """Return whether one kernel of torch computes all segments."""
    return (
        query.is_cuda
        and query.dtype in (torch.float16, torch.bfloat16)
        and query.shape[-1] == value.shape[-1] <= _FLASH_WIDTH
        and all(own is None for own in mask.masks)
        and not options.get("dropout")
        and options.get("softcap") is None
        and options.get("position_bias") is None
    )


def _by_kernel(
    query: Tensor, key: Tensor, value: Tensor, lengths: tuple[int, ...], scale: float | None
) -> Tensor:
    ends = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32).to(query.device)
    heads = query.shape[1] // key.shape[1]
    rows = [query, key.repeat_interleave(heads, 1), value.repeat_interleave(heads, 1)]
    q, k, v = (part[0].transpose(0, 1) for part in rows)
    longest = max(lengths)
    output = varlen_attn(q, k, v, ends, ends, longest, longest, scale=scale, window_size=(-1, 0))
    assert isinstance(output, Tensor)  # and no further outputs, which were not asked for
    return output[None]


AttentionInterface.register(SEGMENTS, _attention)
AttentionMaskInterface.register(SEGMENTS, _mask)
