"""Transformers with the head that a task needs, from the hub, a folder, a finished run, or new.

Nothing that is loaded is executed: no code from the hub, no pickled weights.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError
from safetensors import SafetensorError
from torch import nn

from engine.config.models.image_transformer import ImageTransformerConfig
from engine.config.models.transformer import TransformerConfig
from engine.config.models.weights_path import base_of_adapter, source_of
from engine.errors import TrainingError
from engine.files.paths import is_file, is_folder
from engine.hub_reach import offline_where_unreachable
from engine.models.shapes import TextHead, TextShape

transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
# Do not log a table of new weights: the head is always new.
transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
# Batches are tokenised before training; the tokenizers' own threads only warn about forks.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

_AUTO: dict[TextHead, Any] = {
    "sequence_classification": transformers.AutoModelForSequenceClassification,
    "token_classification": transformers.AutoModelForTokenClassification,
    "question_answering": transformers.AutoModelForQuestionAnswering,
    "causal_lm": transformers.AutoModelForCausalLM,
    "seq2seq_lm": transformers.AutoModelForSeq2SeqLM,
}

_KNOWN: dict[TextHead, Any] = {
    "sequence_classification": transformers.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    "token_classification": transformers.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING,
    "question_answering": transformers.MODEL_FOR_QUESTION_ANSWERING_MAPPING,
    "causal_lm": transformers.MODEL_FOR_CAUSAL_LM_MAPPING,
    "seq2seq_lm": transformers.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
}
"""The architectures that have each head."""


def build_transformer(config: TransformerConfig, shape: TextShape) -> nn.Module:
    """The network of torch's current default type and device; raises :class:`TrainingError`.

    On the device ``meta`` no weights are read, so that its size can be estimated beforehand.
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
    architecture = _NEW[shape.head](config, shape)
    _label(architecture, shape)
    return _AUTO[shape.head].from_config(architecture, dtype=torch.get_default_dtype())


def _trained(config: TransformerConfig, shape: TextShape) -> Any:
    architecture = pretrained_config(config)
    _label(architecture, shape)
    auto = _AUTO[shape.head]
    if type(architecture) not in _KNOWN[shape.head]:
        suits = shape.head.replace("_", " ")
        raise TrainingError(
            f"model.path: {architecture.model_type} networks such as {config.path} are not made "
            f"for {suits}.",
            "Choose another model.",
        )
    if torch.get_default_device().type == "meta":
        network = auto.from_config(architecture, dtype=torch.get_default_dtype())
        _make_room(network, shape)
        return network
    place = source_of(config.path)
    base = base_of_adapter(place)
    with readable(config):
        network, told = auto.from_pretrained(
            source_of(base) if base else place,
            revision=config.revision,
            config=architecture,
            dtype=torch.get_default_dtype(),
            trust_remote_code=False,
            use_safetensors=True,
            # A head for other classes is replaced by a new one.
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        if base:
            network = merged_adapter(network, place)
    # Newly initialised, they must be trained and saved even where all else is frozen.
    network.new_layers = sorted({name.rpartition(".")[0] for name in told["missing_keys"]})
    _make_room(network, shape)
    return network


def merged_adapter(network: Any, adapter: str) -> Any:
    """Return the network with an adapter merged into its weights, to continue from there."""
    import peft  # seconds, for an adapter alone

    if not is_file(Path(adapter) / "adapter_model.safetensors"):
        raise TrainingError(
            f"model.path: the adapter in {adapter[:200]} has no weights in safetensors format."
        )
    adapted = peft.PeftModel.from_pretrained(network, adapter)
    return adapted.merge_and_unload(safe_merge=True).requires_grad_(True)


def pretrained_config(config: TransformerConfig) -> Any:
    """The ``PretrainedConfig`` of a trained model; raises :class:`TrainingError`."""
    place = source_of(config.path)
    with readable(config):
        return transformers.AutoConfig.from_pretrained(
            base_of_adapter(place) or place, revision=config.revision, trust_remote_code=False
        )


def load_tokenizer(config: TransformerConfig, **options: Any) -> Any:
    """The tokenizer of a trained model, with a token for padding.

    Raises :class:`TrainingError`, also for tokenizers without character offsets of tokens.
    """
    architecture = pretrained_config(config)
    with readable(config):
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            source_of(config.path),
            revision=config.revision,
            config=architecture,
            trust_remote_code=False,
            **options,
        )
    if not tokenizer.is_fast:
        raise TrainingError(
            f"model.path: the tokenizer of {config.path} has no fast version, which dltui needs.",
            "Choose another model.",
        )
    if tokenizer.pad_token is None:
        # Decoders are often trained without padding; where it is masked, any token serves.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    tokenizer.padding_side = "right"
    return tokenizer


def longest_input(config: TransformerConfig, tokenizer: Any) -> int:
    """Tokens that a trained model can take in at once; a million where it has no bound."""
    architecture = pretrained_config(config)
    bound = getattr(architecture, "max_position_embeddings", None) or 1_000_000
    # Most tokenizers have a lower limit of their own, and the network need not be looked at.
    if tokenizer.model_max_length > bound - 1 - tokenizer.pad_token_id:
        bound -= _unused_positions(architecture, tokenizer.pad_token_id)
    return int(min(bound, tokenizer.model_max_length, 1_000_000))


def _unused_positions(architecture: Any, pad_token_id: int) -> int:
    """Return the number of positions that no token has.

    RoBERTa and its kind count positions from the one after the number of the padding token.
    """
    if type(architecture) not in transformers.MODEL_MAPPING:
        return 0
    architecture.pad_token_id = pad_token_id
    auto: Any = transformers.AutoModel
    with torch.device("meta"):
        network = auto.from_config(architecture)
    tokens = network.get_input_embeddings()
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


@contextlib.contextmanager
def readable(config: TransformerConfig | ImageTransformerConfig) -> Iterator[None]:
    """Convert transformers' error for an unavailable model to one sentence.

    Where the hub cannot be reached, a model of the hub is searched in the local cache only.
    """
    place = source_of(config.path)
    here = is_folder(Path(base_of_adapter(place) or place))
    try:
        with contextlib.nullcontext() if here else offline_where_unreachable():
            yield
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise TrainingError(*_reason(config, error)) from error


def _reason(
    config: TransformerConfig | ImageTransformerConfig, error: BaseException
) -> tuple[str, str]:
    name = f"{config.path[:200]}" + (f" ({config.revision})" if config.revision != "main" else "")
    causes = list(_causes(error))
    offline = "HF_HUB_OFFLINE" in os.environ
    if any(isinstance(cause, GatedRepoError) for cause in causes):
        return (
            f"model.path: the hub gives {name} only to those who accepted its terms.",
            "Accept them on its page and set HF_TOKEN.",
        )
    if any(isinstance(cause, RepositoryNotFoundError) for cause in causes):
        return (
            f"model.path: there is no model {name} on the hub, or it is private.",
            "Look for a slip in the name, or set HF_TOKEN.",
        )
    if any(isinstance(cause, LocalEntryNotFoundError) for cause in causes):
        why = "HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached"
        return (
            f"model.path: {name} is not on this machine, and {why}.",
            "Give a local folder, or leave model.path empty to train from scratch.",
        )
    if "trust_remote_code" in str(error):
        return f"model.path: {name} needs custom code, which is never run here.", ""
    if "safetensors" in str(error):
        return f"model.path: {name} has no weights in safetensors format.", "Choose another model."
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return f"model.path: {name} cannot be loaded: {first[:300]}", ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _label(architecture: Any, shape: TextShape) -> None:
    """Note the names of the classes, and which token is padding, as transformers does."""
    architecture.pad_token_id = shape.pad_token_id
    if not shape.labels:
        return
    architecture.id2label = dict(enumerate(shape.labels))
    architecture.label2id = {label: index for index, label in enumerate(shape.labels)}
    architecture.problem_type = (
        "multi_label_classification" if shape.multi_label else "single_label_classification"
    )


def _make_room(network: Any, shape: TextShape) -> None:
    """Add rows to the embedding where the tokenizer has tokens that the network lacks.

    They are noted as ``added_tokens``: even where all else is frozen, these must be trained.
    """
    known = network.get_input_embeddings().num_embeddings
    if shape.vocabulary > known:
        # On the device meta there is no mean of the other rows.
        real = torch.get_default_device().type != "meta"
        network.resize_token_embeddings(shape.vocabulary, mean_resizing=real)
        network.added_tokens = tuple(range(known, shape.vocabulary))


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


_NEW: dict[TextHead, Callable[[TransformerConfig, TextShape], Any]] = {
    "sequence_classification": _new_bert,
    "token_classification": _new_bert,
    "question_answering": _new_bert,
    "causal_lm": _new_llama,
    "seq2seq_lm": _new_t5,
}
"""The configuration to build from scratch for each head."""
