"""The token embedding and the output layer of a network, which may be tied."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from torch import nn


def input_embeddings(network: Any) -> Any:
    """Return the embeddings of a network's tokens; ``None`` where it has no single layer for them.

    CANINE adds several embeddings of each character, torchvision's networks have none.
    """
    try:
        return network.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None


def output_layer(network: nn.Module) -> nn.Module | None:
    """Return the layer of a language model that gives the logits of tokens, if it has one."""
    found: nn.Module | None = getattr(network, "get_output_embeddings", lambda: None)()
    return found


def is_tied(network: Any) -> bool:
    """Return whether a language model's output layer has the weights of the token embedding."""
    output = output_layer(network)
    return output is not None and output.weight is network.get_input_embeddings().weight


@contextlib.contextmanager
def without_token_ties(network: Any) -> Iterator[None]:
    """Tell peft that no token embedding is tied inside the block, where there is none.

    Detectors note by the same option that their heads are tied to each other.
    """
    config = getattr(network, "config", None)
    tied = getattr(config, "tie_word_embeddings", False) and input_embeddings(network) is None
    if tied and config is not None:
        config.tie_word_embeddings = False
    try:
        yield
    finally:
        if tied and config is not None:
            config.tie_word_embeddings = True


def untie(network: Any) -> None:
    """Give an output layer weights of its own where peft would merge two adapters into one matrix.

    ``network`` is one with peft's layers in it.
    """
    if not is_tied(network):
        return
    ends = (network.get_input_embeddings(), output_layer(network))
    if not any(hasattr(end, "base_layer") for end in ends):
        return
    output: Any = getattr(ends[1], "base_layer", ends[1])
    output.weight = nn.Parameter(output.weight.detach().clone())
    network.config.get_text_config().tie_word_embeddings = False
    network.config.tie_word_embeddings = False
