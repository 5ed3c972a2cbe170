"""The words that speak for and against an output of a network over texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.explanations.targets import likeliest, number_of
from engine.explanations.words import token_weights, word_weights
from engine.metrics.logits import logits_of
from engine.reports.explanation import Explanation
from engine.reports.views import Shaded


def explain_text(
    network: Any,
    inputs: dict[str, Tensor],
    read: tuple[Any, Sequence[str]],
    names: Sequence[str],
    target: str,
    probabilities: Callable[[Tensor], Tensor] | None = None,
) -> Explanation:
    """Return the words of a text; see :meth:`engine.tasks.task.Task.explain`.

    ``read`` are the tokenizer and the one or two texts that it turned into ``inputs``.
    ``probabilities`` returns those of ``[classes]`` logits, where the outputs are logits.
    """
    with torch.no_grad():
        logits = logits_of(network, inputs)[0].float()
    number = number_of(target, names, logits)
    share = ""
    if probabilities is not None:
        share = f"probability {float(probabilities(logits)[number]):.0%}; "
    weights = token_weights(network, inputs, number)
    tokenizer, texts = read
    words = word_weights(tokenizer, texts, inputs["input_ids"][0].tolist(), weights)
    return Explanation(
        names[number],
        likeliest(logits, names),
        f"{share}gradient × input, change of the logit of {names[number]} by each word",
        [Shaded("Words", words)],
    )
