"""A pre-trained network's vocabulary, fitted to its tokenizer: rows for all tokens, and padding."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from engine.errors import TrainingError
from engine.models.shapes import TextShape
from engine.models.weights.embeddings import input_embeddings


def fit_vocabulary(network: Any, shape: TextShape) -> None:
    """Make a network take in all tokens of its tokenizer; raises :class:`TrainingError`.

    The padding token is noted where only the head reads it. Embeddings keep the one that they were
    trained with: some compute positions from it, and its row gets no gradient.
    """
    _make_room(network, shape)
    if shape.head == "sequence_classification" and not _counts_from_padding(network):
        for config in {id(part): part for part in _text_configs(network)}.values():
            config.pad_token_id = shape.pad_token_id


def _counts_from_padding(network: Any) -> bool:
    """Return whether positions are counted from the padding token, as in RoBERTa and its kind.

    With another one an exported network would count otherwise; its head does not read it.
    """
    return any(
        getattr(module, "padding_idx", None) is not None
        for name, module in network.named_modules()
        if "position" in name
    )


def _text_configs(network: Any) -> tuple[Any, Any]:
    """Return the configuration, and the one of the part that reads texts."""
    return network.config, network.config.get_text_config()


def _make_room(network: Any, shape: TextShape) -> None:
    """Add rows to the embedding where the tokenizer has tokens that the network lacks.

    They are noted as ``added_tokens``: even where all else is frozen, these must be trained.
    """
    known = _rows(network)
    if known is None or shape.vocabulary <= known:
        return
    # On the device meta there is no mean of the other rows.
    real = torch.get_default_device().type != "meta"
    try:
        network.resize_token_embeddings(shape.vocabulary, mean_resizing=real)
    except (NotImplementedError, AttributeError, TypeError) as error:
        raise TrainingError(
            f"model.path: the tokenizer has {shape.vocabulary:,} tokens, the network takes in "
            f"{known:,}, and networks of the kind {network.config.model_type} cannot be enlarged.",
            "Choose another model.",
        ) from error
    network.added_tokens = tuple(range(known, shape.vocabulary))


def _rows(network: Any) -> int | None:
    """Return the number of tokens that a network takes in; ``None`` where there is no bound."""
    tokens = input_embeddings(network)
    if isinstance(tokens, nn.Embedding):
        return tokens.num_embeddings
    return getattr(network.config.get_text_config(), "vocab_size", None)
