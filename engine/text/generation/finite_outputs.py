"""Sampling from outputs that are not numbers, which a network has once its weights diverged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from engine.errors import TrainingFailed


class NotFinite(TrainingFailed):
    """The outputs of a network are not numbers, so no token can be drawn."""

    def __init__(self) -> None:
        super().__init__(
            "The outputs of the network are not numbers (NaN or infinite), so it writes no text.",
            "Lower train.learning_rate, or resume from an earlier checkpoint.",
        )


class _Finite(LogitsProcessor):
    """Looks at the outputs before a token is drawn, which would be an error of torch's."""

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> Any:
        del input_ids
        if bool((scores.isnan() | scores.isposinf()).any()):
            raise NotFinite
        return scores


def checked(temperature: float) -> dict[str, Any]:
    """Return an option of ``generate`` by which sampling raises :class:`NotFinite`."""
    return {"logits_processor": LogitsProcessorList([_Finite()])} if temperature > 0 else {}


def or_why_not(write: Callable[[], list[str]], count: int) -> list[str]:
    """Return ``count`` texts to show, or in their place why none can be written."""
    try:
        return write()
    except NotFinite as error:
        return [f"({error.message})"] * count
