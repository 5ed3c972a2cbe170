"""Transformers with the head that a task needs, from the hub, a folder, a finished run, or new."""

from __future__ import annotations

from typing import Any

import torch
import transformers
from torch import nn

from engine.config.models.transformer import TransformerConfig
from engine.errors import TrainingError
from engine.models.language.new_transformer import NEW
from engine.models.language.vocabulary import fit_vocabulary
from engine.models.shapes import TextHead, TextShape
from engine.models.weights.pretrained import load_pretrained, pretrained_config

_AUTO: dict[TextHead, Any] = {
    "sequence_classification": transformers.AutoModelForSequenceClassification,
    "token_classification": transformers.AutoModelForTokenClassification,
    "question_answering": transformers.AutoModelForQuestionAnswering,
    "causal_lm": transformers.AutoModelForCausalLM,
    "seq2seq_lm": transformers.AutoModelForSeq2SeqLM,
    "embedding": transformers.AutoModel,
}

_KNOWN: dict[TextHead, Any] = {
    "sequence_classification": transformers.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    "token_classification": transformers.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING,
    "question_answering": transformers.MODEL_FOR_QUESTION_ANSWERING_MAPPING,
    "causal_lm": transformers.MODEL_FOR_CAUSAL_LM_MAPPING,
    "seq2seq_lm": transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    "embedding": transformers.MODEL_MAPPING,
}
"""The architectures that have each head."""


def build_transformer(config: TransformerConfig, shape: TextShape) -> nn.Module:
    """The network of torch's current default type and device; raises :class:`TrainingError`.

    On the device ``meta`` only the names of weights are read, so that its size can be estimated
    and missing weights are found beforehand.
    """
    place = torch.get_default_device()
    network: Any
    # Weights and new heads come from the CPU, so that they are the same whatever the device.
    with torch.device("meta" if place.type == "meta" else "cpu"):
        network = _from_scratch(config, shape) if config.from_scratch else _trained(config, shape)
    if config.gradient_checkpointing:
        compute_twice(network)
    placed: nn.Module = network.to(place)
    return placed


def compute_twice(network: Any) -> None:
    """Let the layers be computed anew for the way back, which saves what they would keep.

    Raises :class:`TrainingError`.
    """
    if not network.supports_gradient_checkpointing:
        raise TrainingError(
            f"model.gradient_checkpointing: networks of the kind {network.config.model_type} do "
            "not compute their layers twice.",
            "Switch it off.",
        )
    # The name that it had before transformers 5.
    enable = getattr(network, "activation_checkpointing_enable", None)
    (enable or network.gradient_checkpointing_enable)()
    # It lets gradients down to the embeddings for the kind of checkpoint that needs them; the
    # one that is used does not, and frozen layers would be passed through for nothing.
    network.disable_input_require_grads()


def _from_scratch(config: TransformerConfig, shape: TextShape) -> Any:
    architecture = NEW[shape.head](config, shape)
    _label(architecture, shape)
    return _AUTO[shape.head].from_config(architecture, dtype=torch.get_default_dtype())


def _trained(config: TransformerConfig, shape: TextShape) -> Any:
    architecture = pretrained_config(config)
    _label(architecture, shape)
    auto, dtype = _AUTO[shape.head], torch.get_default_dtype()
    # Speech recognisers have a decoder alone, but are listed with the encoder-decoders.
    apart = shape.head == "seq2seq_lm" and not architecture.is_encoder_decoder
    # A text alone is no input of a network that needs another one for its decoder.
    apart |= shape.head == "embedding" and architecture.is_encoder_decoder
    if type(architecture) not in _KNOWN[shape.head] or apart:
        suits = shape.head.replace("_", " ")
        raise TrainingError(
            f"model.path: {architecture.model_type} networks such as {config.path} are not made "
            f"for {suits}.",
            "Choose another model.",
        )
    network = load_pretrained(config, auto, architecture, dtype)
    fit_vocabulary(network, shape)
    return network


def _label(architecture: Any, shape: TextShape) -> None:
    """Note the names of the classes."""
    if not shape.labels:
        return
    architecture.num_labels = len(shape.labels)  # PVT has a number of its own
    architecture.id2label = dict(enumerate(shape.labels))
    architecture.label2id = {label: index for index, label in enumerate(shape.labels)}
    architecture.problem_type = (
        "regression"
        if shape.regression
        else "multi_label_classification"
        if shape.multi_label
        else "single_label_classification"
    )
