"""The configuration of a transformer to build from scratch, for each head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import transformers

from engine.config.models.transformer import TransformerConfig
from engine.models.shapes import TextHead, TextShape


def _size(config: TransformerConfig, shape: TextShape) -> dict[str, Any]:
    """Return the sizes, under the names that most architectures share."""
    return {
        "vocab_size": shape.vocabulary,
        "hidden_size": config.hidden_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "intermediate_size": config.intermediate_size or 4 * config.hidden_size,
        "max_position_embeddings": shape.max_length,
        "pad_token_id": shape.pad_token_id,
    }


def _new_bert(config: TransformerConfig, shape: TextShape) -> Any:
    return transformers.BertConfig(
        **_size(config, shape),
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
        # The usual 0.02 suits a width of about a thousand; in narrow networks it makes what
        # attention adds so small that nothing is learned for many epochs.
        initializer_range=config.hidden_size**-0.5,
    )


def _new_llama(config: TransformerConfig, shape: TextShape) -> Any:
    return transformers.LlamaConfig(
        **_size(config, shape),
        attention_dropout=config.dropout,
        tie_word_embeddings=True,
        bos_token_id=shape.bos_token_id,
        eos_token_id=shape.eos_token_id,
    )


def _new_t5(config: TransformerConfig, shape: TextShape) -> Any:
    architecture: Any = transformers.T5Config(
        vocab_size=shape.vocabulary,
        d_model=config.hidden_size,
        d_kv=config.hidden_size // config.num_attention_heads,
        d_ff=config.intermediate_size or 4 * config.hidden_size,
        num_layers=config.num_hidden_layers,
        num_heads=config.num_attention_heads,
        dropout_rate=config.dropout,
        # With 1, as usual, embeddings outweigh what attention adds; half of it learns to
        # translate in fewer updates.
        initializer_factor=0.5,
        pad_token_id=shape.pad_token_id,
        eos_token_id=shape.eos_token_id,
    )
    architecture.decoder_start_token_id = shape.pad_token_id
    return architecture


NEW: dict[TextHead, Callable[[TransformerConfig, TextShape], Any]] = {
    "sequence_classification": _new_bert,
    "token_classification": _new_bert,
    "question_answering": _new_bert,
    "causal_lm": _new_llama,
    "seq2seq_lm": _new_t5,
    "embedding": _new_bert,
}
"""The configuration to build from scratch for each head."""
