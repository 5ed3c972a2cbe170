"""The files by which sentence-transformers knows how a model embeds: read, and written.

modules.json                        the steps: transformer, pooling, normalization
1_Pooling/config.json               the pooling
config_sentence_transformers.json   the prompts and the similarity
sentence_bert_config.json           the longest text

They are written as version 2 of sentence-transformers reads them, and every later one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from engine.config.models.pretrained import PretrainedModelConfig
from engine.errors import TrainingError
from engine.files import atomic, safe_json
from engine.files.sanitize import plain
from engine.models.language.pooling import Mode
from engine.models.weights.pretrained import found_file, readable, weights_of

_MODULES, _PROMPTS, _LENGTH = (
    "modules.json", "config_sentence_transformers.json", "sentence_bert_config.json",
)  # fmt: skip
_TRANSFORMER = "sentence_transformers.models.Transformer"
_POOLING = "sentence_transformers.models.Pooling"
_NORMALIZE = "sentence_transformers.models.Normalize"
_NAMES: dict[Mode, str] = {"mean": "mean_tokens", "cls": "cls_token", "last": "lasttoken"}
_PASSAGES = ("document", "passage", "corpus")
_KNOWN = ("Transformer", "Pooling", "Normalize")


@dataclass(frozen=True, slots=True)
class SentenceModel:
    """The settings by which a model embeds texts."""

    pooling: Mode = "mean"
    normalize: bool = True
    query_prompt: str = ""
    passage_prompt: str = ""
    lowercase: bool = False
    """Whether texts are in small letters before the tokenizer sees them."""


def sentence_model(config: PretrainedModelConfig, pooled: bool = False) -> SentenceModel:
    """Return how a pre-trained model embeds; the usual way where its folder has no such files.

    The pooling is not read where it is chosen elsewhere, ``pooled``. Raises
    :class:`TrainingError` for steps that are not known here, such as a dense layer.
    """
    if config.from_scratch:
        return SentenceModel()
    modules = _read(config, _MODULES)
    if not isinstance(modules, list):
        return SentenceModel()
    steps = [step for step in modules if isinstance(step, dict)]
    kinds = {str(step.get("type")).rpartition(".")[2]: str(step.get("path")) for step in steps}
    other = sorted(kinds.keys() - set(_KNOWN))
    if other:
        raise TrainingError(
            f"model.path: {plain(config.path, 200)} embeds with a step that is not known here: "
            f"{plain(', '.join(other), 100)}.",
            "Choose another model.",
        )
    prompts = _object(_object(_read(config, _PROMPTS)).get("prompts"))
    return SentenceModel(
        pooling="mean" if pooled else _pooling(config, kinds.get("Pooling", "")),
        normalize="Normalize" in kinds,
        query_prompt=str(prompts.get("query") or ""),
        passage_prompt=_passage_prompt(prompts),
        lowercase=_object(_read(config, _LENGTH)).get("do_lower_case") is True,
    )


def _passage_prompt(prompts: Mapping[str, Any]) -> str:
    """Return the prompt of passages, under the first of its names that has one.

    sentence-transformers 6 looks no further than an empty ``document``, which every model has.
    """
    return next((str(prompts[name]) for name in _PASSAGES if prompts.get(name)), "")


def _pooling(config: PretrainedModelConfig, folder: str) -> Mode:
    settings = _object(_read(config, f"{folder}/config.json") if folder else None)
    named = settings.get("pooling_mode")
    modes = [named] if isinstance(named, str) else list(named or ())
    modes += [name for name, on in settings.items() if name.startswith("pooling_mode_") and on]
    found = [mode for mode in get_args(Mode) if _means(modes, mode)]
    if settings.get("include_prompt") is False:
        modes += ["tokens without those of the prompt"]
    if modes and len(found) != len(modes):
        raise TrainingError(
            f"model.path: {plain(config.path, 200)} pools tokens by "
            f"{plain(', '.join(map(str, modes)), 100)}, which is not known here.",
            "Set task.pooling.",
        )
    return found[0] if found else "mean"


def _means(modes: list[Any], mode: Mode) -> bool:
    names = {mode, _NAMES[mode], f"pooling_mode_{_NAMES[mode]}"}
    return any(name in names for name in modes)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _read(config: PretrainedModelConfig, name: str) -> Any:
    """Return the content of a JSON file of a model; none where it has no such file."""
    with readable(config):
        weights = weights_of(config)
        place, revision = weights.place, weights.revision
        if weights.adapter and found_file(weights.adapter, name, weights.adapter_revision):
            place, revision = weights.adapter, weights.adapter_revision
        found = found_file(place, name, revision)
        return safe_json.loads(Path(found).read_bytes()) if found else None


def write_sentence_model(folder: Path, model: SentenceModel, size: int, max_length: int) -> None:
    """Write the files into the folder of a transformer with vectors of ``size`` numbers.

    Raises ``OSError``.
    """
    steps = [("", _TRANSFORMER), ("1_Pooling", _POOLING)]
    if model.normalize:
        steps.append(("2_Normalize", _NORMALIZE))
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": kind}
        for number, (path, kind) in enumerate(steps)
    ]
    pooling = {f"pooling_mode_{name}": mode == model.pooling for mode, name in _NAMES.items()}
    prompts = {"query": model.query_prompt, "document": model.passage_prompt}
    files: dict[str, Any] = {
        _MODULES: modules,
        "1_Pooling/config.json": {"word_embedding_dimension": size, **pooling},
        _PROMPTS: {
            "__version__": {}, "prompts": prompts, "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        _LENGTH: {"max_seq_length": max_length, "do_lower_case": False},
    }  # fmt: skip
    for path, _ in steps:
        (folder / path).mkdir(exist_ok=True)
    for name, content in files.items():
        atomic.write_text(folder / name, json.dumps(content, indent=2) + "\n")
