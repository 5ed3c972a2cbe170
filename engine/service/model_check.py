"""The check of a model before a run, answered in the helper process.

Neither weights nor data are read: the network is built on the device meta, from the names of its
weights.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from engine.adapters.layers import plain_network
from engine.adapters.reach import example_inputs
from engine.artifacts.handover.families import family_of
from engine.artifacts.handover.vocabulary import vocabulary_of as vocabulary_in_gguf
from engine.artifacts.tracing import Call, as_onnx, as_program
from engine.config.models.base import ModelConfig
from engine.config.models.pretrained import WeightsConfig
from engine.config.run_config import RunConfig
from engine.config.tasks.generation import GenerationConfig
from engine.errors import TrainingError, UserError
from engine.models.build import build_model
from engine.models.images.preprocessing import preprocessing_of
from engine.models.language.text_tokenizer import NO_BOUND, longest_input
from engine.models.shapes import ImageShape, TextShape
from engine.models.weights.pretrained import bytes_by_type
from engine.reports.layer_groups import TargetGroup
from engine.reports.model_check import ModelCheck, TextInput
from engine.service.layers import described
from engine.tasks.create import create_task
from engine.tasks.text import TextTask
from engine.text.tokens.any_tokenizer import vocabulary_of

_NO_DATA = {"kind": "builtin", "name": "digits"}
"""A configuration has data, but this is never read."""
_CLASSES = ("0", "1")
_SIZE = 224
_LAYERS = 2
"""Layers of the network that is traced for an export: the others are like them."""
_ROLES = {"padding": "pad", "beginning": "bos", "end": "eos", "unknown": "unk"}


def answer(values: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ``check`` for the sections ``task`` and ``model`` in ``values``.

    Raises :class:`~engine.errors.UserError` where the model does not suit the task, with the
    reason.
    """
    config = RunConfig.parse({**values, "data": _NO_DATA})
    if not config.model.base_name:
        raise TrainingError("model.kind: only models of transformers and torchvision are checked.")
    if isinstance(config.model, WeightsConfig) and config.model.from_scratch:
        raise TrainingError("model.path: a network from scratch has nothing to check.")
    return check(config).record()


def check(config: RunConfig) -> ModelCheck:
    """Return what the model of ``config`` has for its task; raises :class:`TrainingError`."""
    task, model = create_task(config), config.model
    tokenizer = task.pipeline.tokenizer("") if isinstance(task, TextTask) else None
    shape = _text_shape(task, tokenizer) if isinstance(task, TextTask) else _image_shape(model)
    with torch.device("meta"):
        whole = build_model(model, shape)
    network: Any = plain_network(whole)
    layers = described(network)
    new = tuple(getattr(network, "new_weights", ()))
    return ModelCheck(
        network=type(network).__name__,
        architecture=getattr(getattr(network, "config", None), "model_type", "")
        or str(getattr(model, "name", "")),
        parameters=layers["parameters"],
        stored=_stored(model),
        found=len(network.state_dict()) - len(new),
        new=new,
        unused=tuple(getattr(network, "unused_weights", ())),
        text=_text_input(model, tokenizer, network) if tokenizer else None,
        image_size=shape.size if isinstance(shape, ImageShape) else None,
        groups=tuple(map(TargetGroup.from_record, layers["groups"])),
        presets=layers["presets"],
        exports=_exports(network, bool(layers["groups"])) | _gguf(config, network, tokenizer),
    )


def _text_shape(task: TextTask[Any], tokenizer: Any) -> TextShape:
    return TextShape(
        head=task.head,
        vocabulary=vocabulary_of(tokenizer),
        max_length=1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        labels=_CLASSES if "classification" in task.head else (),
    )


def _image_shape(model: ModelConfig) -> ImageShape:
    wanted = preprocessing_of(model)
    return ImageShape(3, wanted.size if wanted else _SIZE, len(_CLASSES), _CLASSES)


def _stored(model: ModelConfig) -> dict[str, int]:
    return bytes_by_type(model) if isinstance(model, WeightsConfig) else {}


def _text_input(model: Any, tokenizer: Any, network: Any) -> TextInput:
    longest = longest_input(model, tokenizer)
    special = {role: getattr(tokenizer, f"{name}_token") for role, name in _ROLES.items()}
    return TextInput(
        longest=longest if longest < NO_BOUND else None,
        vocabulary=len(tokenizer),
        added=len(getattr(network, "added_tokens", ())),
        special={role: str(token) for role, token in special.items() if token is not None},
        chat_template=bool(tokenizer.chat_template),
    )


def _exports(network: nn.Module, adaptable: bool) -> dict[str, str]:
    """Return for each form why it will not work; empty where it will."""
    without = "" if adaptable else "no layer takes an adapter"
    forms = {"folder": "", "adapter": without, "merged": without}
    few = _of_few_layers(network)
    inputs = example_inputs(few)
    if inputs is None:
        return forms
    named = inputs if isinstance(inputs, dict) else {}
    call = Call(() if named else (inputs,), named)
    for form, write in (("program", as_program), ("onnx", _as_onnx)):
        try:
            write(few, call)
            forms[form] = ""
        except UserError as error:
            forms[form] = str(error)
    return forms


def _gguf(config: RunConfig, network: Any, tokenizer: Any) -> dict[str, str]:
    """Return whether a language model can be written as GGUF, as :func:`_exports` does."""
    if not isinstance(config.task, GenerationConfig):
        return {}
    try:
        family_of(network.config)
        vocabulary_in_gguf(tokenizer, max(network.config.vocab_size, len(tokenizer)))
    except UserError as error:
        return {"gguf": str(error)}
    return {"gguf": ""}


def _as_onnx(network: nn.Module, call: Call) -> object:
    return as_onnx(network, call, optimize=False)


def _of_few_layers(network: Any) -> Any:
    """Return the same network with fewer layers, but one of each kind; itself where it has none."""
    architecture = copy.deepcopy(getattr(network, "config", None))
    if architecture is None:
        return network
    text = architecture.get_text_config()
    whole = getattr(text, "num_hidden_layers", 0)
    kinds = getattr(text, "layer_types", None) or ()
    few = max([_LAYERS, *(kinds.index(kind) + 1 for kind in kinds)])
    if not isinstance(whole, int) or whole <= few:
        return network
    for name, value in list(vars(text).items()):
        if isinstance(value, list) and len(value) == whole:
            setattr(text, name, value[:few])
    text.num_hidden_layers = few
    try:
        with torch.device("meta"):
            return type(network)(architecture).eval()
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return network
