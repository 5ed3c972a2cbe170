"""A continuation that is handed on while it is generated, and can be stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from engine.text.generation.continuation import Sampling, ends_for, has_cache
from engine.text.generation.finite_outputs import checked

PAUSE = 0.1
"""Seconds between two pieces: the eye sees no more, and each costs bytes on the way."""
Ending = Literal["end", "length", "stopped"]


@dataclass(frozen=True)
class Written:
    """A finished continuation."""

    text: str
    tokens: int
    ending: Ending
    """An end token, the maximum length, or the user."""


def streamed(
    network: nn.Module,
    tokenizer: Any,
    prompt: Sequence[int],
    sampling: Sampling,
    heard: Callable[[str], object],
    stopped: Callable[[], bool],
) -> Written:
    """Continue one prompt; call ``heard`` with the text so far, at most ten times a second.

    The text equals that of :func:`~engine.text.generation.continuation.continued`. ``stopped`` is
    asked after each token. Random numbers come from ``sampling.seed`` and leave the global
    generators unchanged.
    """
    model: Any = network
    device = next(network.parameters()).device
    pieces, ends = _Pieces(tokenizer, heard), ends_for(network, tokenizer)
    with (
        torch.inference_mode(),
        torch.random.fork_rng([device] if device.type == "cuda" else []),
    ):
        torch.manual_seed(sampling.seed)
        ids = torch.tensor([list(prompt)], device=device)
        model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=ends or None,
            streamer=pieces,
            stopping_criteria=StoppingCriteriaList([_Stop(stopped)]),
            **sampling.options,
            **({} if has_cache(network) else {"use_cache": False}),
            **checked(sampling.temperature),
        )
    tokens = pieces.tokens
    ending: Ending = "length" if len(tokens) >= sampling.max_new_tokens else "stopped"
    if tokens and tokens[-1] in ends:
        ending = "end"
    return Written(pieces.text, len(tokens), ending)


class _Pieces(BaseStreamer):
    """Receives the tokens of ``generate``, the prompt first."""

    def __init__(self, tokenizer: Any, heard: Callable[[str], object]) -> None:
        self.tokens: list[int] = []
        self._tokenizer = tokenizer
        self._heard = heard
        self._prompted = False
        self._last = 0.0

    @property
    def text(self) -> str:
        """The text so far."""
        text: str = self._tokenizer.decode(self.tokens, skip_special_tokens=True)
        return text

    def put(self, value: Tensor) -> None:
        """Take the next token; a character whose bytes are not complete waits for the next."""
        if not self._prompted:
            self._prompted = True
            return
        self.tokens += value.flatten().tolist()
        now = time.monotonic()
        if now - self._last >= PAUSE:
            self._last = now
            self._heard(self.text.removesuffix("\N{REPLACEMENT CHARACTER}"))

    def end(self) -> None:
        """Do nothing: the whole text is returned."""


class _Stop(StoppingCriteria):
    """Ends ``generate`` after the token at which it is asked to."""

    def __init__(self, stopped: Callable[[], bool]) -> None:
        self._stopped = stopped

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        del scores, kwargs
        return torch.full((len(input_ids),), self._stopped(), device=input_ids.device)
