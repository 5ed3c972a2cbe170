"""The tokenizer of a pre-trained transformer, and the number of tokens that it can take in."""

from __future__ import annotations

import os
from typing import Any

import torch
import transformers
from torch import nn

from engine.config.models.transformer import TransformerConfig
from engine.models.language.tokenizer_check import check_tokenizer
from engine.models.language.tokenizer_packages import packages_named
from engine.models.weights.embeddings import input_embeddings
from engine.models.weights.pretrained import found_file, pretrained_config, readable, weights_of

# Batches are tokenised before training; the tokenizers' own threads only warn about forks.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

NO_BOUND = 1_000_000
"""Tokens, where a model has no bound."""


def load_tokenizer(config: TransformerConfig, **options: Any) -> Any:
    """The tokenizer of a trained model, with a token for padding.

    Raises :class:`TrainingError`, also where a package for it is missing.
    """
    architecture = pretrained_config(config)
    with readable(config), packages_named(config.path, architecture):
        place, revision = _place_of_tokenizer(config)
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            place, revision=revision, config=architecture, trust_remote_code=False, **options
        )
    check_tokenizer(tokenizer, config.path)
    if tokenizer.pad_token is None:
        # Decoders are often trained without padding; where it is masked, any token serves.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    tokenizer.padding_side = "right"
    return tokenizer


def _place_of_tokenizer(config: TransformerConfig) -> tuple[str, str]:
    """Return where the tokenizer is: beside an adapter, if there is one, else with the weights."""
    weights = weights_of(config)
    if weights.adapter and found_file(
        weights.adapter, "tokenizer_config.json", weights.adapter_revision
    ):
        return weights.adapter, weights.adapter_revision
    return weights.place, weights.revision


def longest_input(config: TransformerConfig, tokenizer: Any) -> int:
    """Tokens that a trained model can take in at once; a million where it has no bound."""
    architecture = pretrained_config(config)
    bound = getattr(architecture, "max_position_embeddings", None) or 0
    # CANINE has as many positions as buckets, whatever its configuration says of positions.
    bound = min(bound, getattr(architecture, "num_hash_buckets", None) or bound)
    if bound <= 0:  # XLNet notes −1
        bound = NO_BOUND
    # Most tokenizers have a lower limit of their own, and the network need not be looked at.
    elif tokenizer.model_max_length > bound - _most_unused(architecture, tokenizer):
        bound -= _unused_positions(architecture)
    return int(min(bound, tokenizer.model_max_length, NO_BOUND))


def _most_unused(architecture: Any, tokenizer: Any) -> int:
    own = getattr(architecture, "pad_token_id", None)
    return 1 + int(max(tokenizer.pad_token_id, own or 0))


def _unused_positions(architecture: Any) -> int:
    """Return the number of positions that no token has.

    RoBERTa and its kind count positions from the one after the number of the padding token.
    """
    if type(architecture) not in transformers.MODEL_MAPPING:
        return 0
    auto: Any = transformers.AutoModel
    with torch.device("meta"):
        network = auto.from_config(architecture)
    tokens = input_embeddings(network)
    return max(
        (
            layer.padding_idx + 1
            for layer in network.modules()
            if isinstance(layer, nn.Embedding)
            and layer is not tokens
            and layer.padding_idx is not None
            and layer.num_embeddings == architecture.max_position_embeddings
        ),
        default=0,
    )
