"""A walk over all types of models that the installed transformers and torchvision have.

Of each, a folder with a tiny network is trained, with an adapter and without, exported, and loaded
as others load it. Whatever a type cannot do must be refused with a sentence.

With ``DLTUI_MODEL_WALK=FILE`` the outcomes are appended to a file, of which ``models_page.py``
makes docs/models.md; ``make models`` does both.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
import torchvision
import transformers
from PIL import Image
from tokenizers import processors

from engine import RunConfig, train
from engine.errors import UserError
from engine.files.paths import runs_folder
from engine.runs.directory import RunDirectory
from engine.text.tokens.tokenizer import CLS, SEP, train_wordpiece, wordpiece_from

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

WORDS = "Ann saw the film in Rome and it was superb but long , said Ben of Acme Works ."
HEADS = {
    "text_classification": "SEQUENCE_CLASSIFICATION",
    "text_regression": "SEQUENCE_CLASSIFICATION",
    "embedding": "",
    "token_classification": "TOKEN_CLASSIFICATION",
    "question_answering": "QUESTION_ANSWERING",
    "causal_lm": "CAUSAL_LM",
    "preference": "CAUSAL_LM",
    "seq2seq": "SEQ_TO_SEQ_CAUSAL_LM",
    "image_classification": "IMAGE_CLASSIFICATION",
    "semantic_segmentation": "SEMANTIC_SEGMENTATION",
    "object_detection": "OBJECT_DETECTION",
}
"""The tasks, and the parts of the names of transformers' mappings."""
AUTO = {
    "CAUSAL_LM": "AutoModelForCausalLM",
    "SEQ_TO_SEQ_CAUSAL_LM": "AutoModelForSeq2SeqLM",
    "MASKED_LM": "AutoModelForMaskedLM",
    "SEQUENCE_CLASSIFICATION": "AutoModelForSequenceClassification",
    "TOKEN_CLASSIFICATION": "AutoModelForTokenClassification",
    "QUESTION_ANSWERING": "AutoModelForQuestionAnswering",
    "IMAGE_CLASSIFICATION": "AutoModelForImageClassification",
    "SEMANTIC_SEGMENTATION": "AutoModelForSemanticSegmentation",
    "OBJECT_DETECTION": "AutoModelForObjectDetection",
}
OF_IMAGES = {
    "image_classification": "image_transformer",
    "semantic_segmentation": "segmentation_transformer",
    "object_detection": "detection_transformer",
}
"""The tasks on images, and the sections of transformers' networks."""
READERS = (
    "MASKED_LM", "SEQ_TO_SEQ_CAUSAL_LM", "CAUSAL_LM", "QUESTION_ANSWERING",
    "SEQUENCE_CLASSIFICATION", "TOKEN_CLASSIFICATION",
)  # fmt: skip
"""The heads of types that read texts, which are embedded by what is below any of them."""
LEAST = {
    "text_classification": 118, "token_classification": 94, "question_answering": 70,
    "causal_lm": 180, "seq2seq": 22, "image_classification": 35, "torchvision": 72,
}  # fmt: skip
"""Types of some tasks that train, with transformers 5.24 and torchvision 0.29 and some to spare."""
SIDES = {"inception_v3": 96, "maxvit_t": 224}
"""Sides of images, in pixels, of networks of torchvision that cannot take small ones."""
BY_THIS_PROGRAM = ("blt", "mobilenet_v1", "mobilenet_v2")
"""Types whose exports or adapters transformers and peft alone cannot use, which a run warns of.

BLT's configuration has no number of layers, which the cache asks for; MobileNets read the padding
of a wrapped convolution.
"""
LARGEST = 100_000_000
"""Weights: larger networks are those whose sizes have names that are not known here."""
LARGEST_PICTURES = 150_000_000
"""Weights of networks of torchvision, whose sizes are fixed."""

RECIPES = tomllib.loads((Path(__file__).parent / "tiny_networks.toml").read_text())
"""Sizes of tiny networks."""
TOKENS = {"pad": 0, "unk": 1, "bos": 2, "cls": 2, "eos": 3, "sep": 3, "decoder_start": 0}
"""The numbers that the tokenizer of the walk has for special tokens."""


def types_of(head: str) -> list[str]:
    mapping = getattr(transformers, f"MODEL_FOR_{head}_MAPPING")
    return sorted({config.model_type for config in mapping})


def types_for(task: str) -> list[str]:
    """The types that a task has a network of: all that read texts can embed them."""
    if task != "embedding":
        return types_of(HEADS[task])
    return sorted({kind for head in READERS for kind in types_of(head)})


CASES = [(task, kind) for task in HEADS for kind in types_for(task)]
PICTURES = torchvision.models.list_models(module=torchvision.models)
ANNOTATED = [
    (task, name)
    for task, module in (
        ("semantic_segmentation", torchvision.models.segmentation),
        ("object_detection", torchvision.models.detection),
    )
    for name in torchvision.models.list_models(module=module)
]


def started(kind: str) -> dict[str, Any]:
    """Values that the configuration of a type is made with."""
    made: dict[str, Any] = {}
    for recipe in RECIPES["start"]:
        types, text_of = recipe["types"], recipe.get("text_of", [])
        values = {name: recipe[name] for name in recipe if name not in ("types", "text_of")}
        if kind in types:
            made |= values
        elif kind in text_of:
            made |= {"text_config": values}
    return made


def shrink(config: Any, vocabulary: int) -> None:
    """Make the sizes of a configuration small, and those of the ones inside it."""
    for most, names in RECIPES["sizes"].items():
        for name in names.split():
            value = vars(config).get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                setattr(config, name, min(value, int(most)))
            elif isinstance(value, list | tuple) and all(isinstance(one, int) for one in value):
                setattr(config, name, [min(one, int(most)) for one in value])
    for name, value in list(vars(config).items()):
        if isinstance(value, transformers.PretrainedConfig):
            shrink(value, vocabulary)
        elif name in ("vocab_size", "unpadded_vocab_size", "n_token", "vocab_size_per_layer_input"):
            setattr(config, name, vocabulary)
        elif name.endswith("layerdrop"):
            setattr(config, name, 0.0)  # a dropped layer has no gradient
        elif name == "type_vocab_size":
            setattr(config, name, max(2, value or 0))
        elif name.endswith("_token_id") and value is not None:
            setattr(config, name, TOKENS.get(name.removesuffix("_token_id"), 2))
    if (
        getattr(config, "is_encoder_decoder", False)
        and getattr(config, "decoder_start_token_id", None) is None
    ):
        config.decoder_start_token_id = TOKENS["pad"]
    for recipe in RECIPES["own"]:
        for name in recipe if config.model_type in recipe["types"] else ():
            if name != "types":
                setattr(config, name, recipe[name])
    complete(config)


def complete(config: Any) -> None:
    """Fill in what is derived from sizes, where a family leaves it open."""
    heads = vars(config).get("num_attention_heads")
    for name, value in (("num_key_value_heads", heads), ("head_dim", 8)):
        if isinstance(heads, int) and name in vars(config) and vars(config)[name] is None:
            setattr(config, name, value)
    layers = vars(config).get("num_hidden_layers")
    for name, kinds in list(vars(config).items()):
        named = name.endswith(("layer_types", "block_type"))
        if named and isinstance(kinds, list) and isinstance(layers, int):
            different = list(dict.fromkeys(kinds))
            setattr(config, name, (different * layers)[:layers])


@cache
def tokenizer_of_words(twice: bool = False) -> Any:
    """A tokenizer; with ``twice`` two separators stand between two texts, as in RoBERTa."""
    tokenizer = wordpiece_from(train_wordpiece([WORDS, "Where ? 0 1 2 3"], 200, lowercase=False))
    tokenizer.add_special_tokens({"eos_token": SEP, "bos_token": CLS, "mask_token": "[MASK]"})
    if twice:
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{CLS} $A {SEP}", pair=f"{CLS} $A {SEP} {SEP} $B:1 {SEP}:1",
            special_tokens=[(CLS, TOKENS["cls"]), (SEP, TOKENS["sep"])],
        )  # fmt: skip
    return tokenizer


def tiny_folder(task: str, kind: str, folder: Path) -> Path:
    """A tiny network with random weights, saved for what such are trained on first; skips."""
    tokenizer = tokenizer_of_words(twice=kind == "longformer")
    try:
        config = transformers.CONFIG_MAPPING[kind](**started(kind))
        shrink(config, len(tokenizer))
        if kind == "reformer":
            config.is_decoder = HEADS[task] == "CAUSAL_LM"
        made = class_of(task, config)
        with torch.device("meta"):
            size = sum(part.numel() for part in made(config).parameters())
        if size > LARGEST:
            pytest.skip(f"too large: {size:,} weights")
        torch.manual_seed(0)
        made(config).save_pretrained(folder)
    except Exception as error:  # noqa: BLE001 — whatever a configuration of no real model raises
        pytest.skip(f"no tiny network: {type(error).__name__}: {str(error)[:200]}")
    if task not in OF_IMAGES:
        tokenizer.save_pretrained(folder)
    return folder


def class_of(task: str, config: Any) -> Any:
    """What makes the network of a configuration: a language model where the type has one."""
    heads = [HEADS[task]]
    if task == "embedding":
        heads = list(READERS)
    elif task.startswith(("text_", "token_", "question_")):
        heads = ["MASKED_LM", "SEQ_TO_SEQ_CAUSAL_LM", "CAUSAL_LM", *heads]
    for head in heads:
        found = getattr(transformers, f"MODEL_FOR_{head}_MAPPING").get(type(config), None)
        if isinstance(found, tuple):  # DeiT has one with a teacher too
            found = found[0]
            config.architectures = [found.__name__]
        # Some language models are those of an inner configuration, which has fewer heads.
        if found and (head == HEADS[task] or issubclass(found.config_class, type(config))):
            return getattr(transformers, AUTO[head]).from_config
    raise ValueError("no class")


def rows_of(task: str) -> pa.Table:
    words = WORDS.split()
    tags = ["O" if number % 2 else "B-X" for number in range(len(words))]
    answer = {"text": ["Rome"], "answer_start": [WORDS.index("Rome")]}
    rows: dict[str, list[dict[str, Any]]] = {
        "text_classification": [{"text": WORDS, "label": "a"}, {"text": WORDS[:30], "label": "b"}],
        "text_regression": [{"text": WORDS, "score": 0.5}, {"text": WORDS[:30], "score": 2.0}],
        "embedding": [
            {"anchor": f"{WORDS[:20]} {number}", "positive": f"{WORDS[20:40]} {number}"}
            for number in range(4)
        ],
        "token_classification": [{"tokens": words, "tags": tags},
                                 {"tokens": words[:5], "tags": tags[:5]}],
        "causal_lm": [{"prompt": WORDS[:20], "completion": WORDS[20:]},
                      {"prompt": WORDS[:12], "completion": WORDS[12:30]}],
        "preference": [{"prompt": WORDS[:20], "chosen": WORDS[20:], "rejected": WORDS[10:30]},
                       {"prompt": WORDS[:12], "chosen": WORDS[12:30], "rejected": WORDS[40:]}],
        "seq2seq": [{"source": WORDS, "target": WORDS[:30]},
                    {"source": WORDS[:20], "target": WORDS[10:40]}],
        "question_answering": [
            {"context": f"{WORDS if number % 2 else WORDS[:40]} {number}", "question": "Where ?",
             "answers": answer}
            for number in range(4)
        ],
    }  # fmt: skip
    return pa.Table.from_pylist(rows[task] * (24 // len(rows[task])))


def images_in(folder: Path) -> Path:
    """Write 24 images of two classes."""
    for number in range(24):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32), (10 * number, 120, 255 * (number % 2))).save(path)
    return folder


def values_of(task: str, folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = {
        "task": {"kind": task},
        "data": {"kind": "image_folder", "path": str(images_in(folder / "images"))},
        "model": {"kind": "transformer", "path": str(folder)},
        "train": {"max_steps": 2, "epochs": 1, "batch_size": 4},
        "compute": {"device": "cpu", "threads": 1},
    }
    if task in OF_IMAGES:
        values["model"]["kind"] = OF_IMAGES[task]
        values["task"]["image_size"] = 64
        if task != "image_classification":
            values["data"] = {"kind": "builtin", "name": "shapes", "max_samples": 8}
        values["data"] |= {"validation_fraction": 0.25 if task == "image_classification" else 0.01,
                           "test_fraction": 0}  # fmt: skip
        return values
    path = folder / "rows.parquet"
    pa.parquet.write_table(rows_of(task), path)
    values["data"] = {"kind": "file", "path": str(path), "validation_fraction": 0.25}
    if HEADS[task] == "CAUSAL_LM":
        values["task"]["max_new_tokens"] = 4
    if task == "seq2seq":
        values["task"] |= {"max_new_tokens": 4, "num_beams": 1, "eval_rows": 2, "final_rows": 2}
    return values


@pytest.fixture(autouse=True)
def room(tmp_path: Path) -> Iterator[None]:
    """Free the disk after each type: hundreds of runs have checkpoints."""
    yield
    shutil.rmtree(tmp_path)


@dataclass
class Outcome:
    """What a type did in a task, without an adapter and with one: a word, and the reason."""

    task: str
    kind: str
    network: str = "not tried"
    adapter: str = "not tried"
    reason: str = ""


OUTCOMES: list[Outcome] = []


@contextlib.contextmanager
def outcome_of(task: str, kind: str) -> Iterator[Outcome]:
    """Keep what is seen inside the block."""
    outcome = Outcome(task, kind)
    try:
        yield outcome
    except BaseException as error:
        outcome.reason = outcome.reason or f"{type(error).__name__}: {error}"
        raise
    finally:
        OUTCOMES.append(outcome)
        if path := os.environ.get("DLTUI_MODEL_WALK"):
            with Path(path).open("a") as file:
                file.write(json.dumps(asdict(outcome)) + "\n")


def events_of(run: RunDirectory) -> list[dict[str, Any]]:
    return list(map(json.loads, run.events.path.read_text().splitlines()))


def complaints(run: RunDirectory) -> list[str]:
    """Warnings of a run on its exported model, and on adapters without effect."""
    told = [event["message"] for event in events_of(run) if event.get("level") == "warning"]
    return [text for text in told if "exported model" in text or "no gradient" in text]


def trained(values: dict[str, Any]) -> list[str]:
    """Train; returns complaints. A refusal comes before the first update."""
    config = RunConfig.parse(values)
    run = RunDirectory.create(runs_folder(), config)
    try:
        return complaints(train(config, run))
    except UserError:
        assert not [event for event in events_of(run) if event.get("step")]
        raise


def is_known(kind: str, told: list[str]) -> bool:
    return kind in BY_THIS_PROGRAM and all("alone cannot use" in text for text in told)


def walk(outcome: Outcome, values: dict[str, Any]) -> None:
    """Train without and with an adapter; what is refused is refused by a sentence."""
    outcome.network = "fails"
    try:
        told = trained(values)
    except UserError as refusal:
        outcome.network, outcome.reason = "refused", str(refusal)
        pytest.skip(f"refused: {refusal}")
    outcome.reason = " ".join(told)
    assert told == [] or is_known(outcome.kind, told)
    outcome.network, outcome.adapter = "trains", "fails"
    try:
        told = trained(values | {"adapter": {"method": "lora", "r": 2}})
    except UserError as refusal:
        outcome.adapter, outcome.reason = "refused", str(refusal)
        return
    outcome.reason = " ".join(told)
    assert told == [] or is_known(outcome.kind, told)
    outcome.adapter = "trains"


@pytest.mark.parametrize(("task", "kind"), CASES, ids=lambda value: str(value))
def test_a_type_of_transformers_trains_and_exports_or_is_refused(
    task: str, kind: str, tmp_path: Path
) -> None:
    with outcome_of(task, kind) as outcome:
        walk(outcome, values_of(task, tiny_folder(task, kind, tmp_path / "tiny")))


@pytest.mark.parametrize("name", PICTURES)
def test_a_network_of_torchvision_trains_and_exports_or_is_refused(
    name: str, tmp_path: Path
) -> None:
    values = values_of("image_classification", tmp_path)
    values["model"] = {"kind": "torchvision", "name": name, "pretrained": False}
    values["task"]["image_size"] = SIDES.get(name, 32)
    with outcome_of("torchvision", name) as outcome:
        check_size(name)
        walk(outcome, values)


@pytest.mark.parametrize(("task", "name"), ANNOTATED)
def test_a_network_of_torchvision_for_masks_or_boxes_trains_or_is_refused(
    task: str, name: str, tmp_path: Path
) -> None:
    values = values_of(task, tmp_path)
    kind = f"torchvision_{task.split('_')[1]}"
    values["model"] = {"kind": kind, "name": name, "pretrained": False}
    with outcome_of("torchvision", name) as outcome:
        check_size(name)
        walk(outcome, values)


def check_size(name: str) -> None:
    """Skip the largest: smaller ones are made of the same parts."""
    size = torchvision.models.get_model_weights(name).DEFAULT.meta["num_params"]
    if size > LARGEST_PICTURES:
        pytest.skip(f"too large for a test: {size:,} weights")


def test_the_walk_reached_most_types() -> None:
    """Stands last. A new version may have more types, and must not quietly train fewer."""
    if len(OUTCOMES) < len(CASES) / 2:
        pytest.skip("only a part of the walk was made")
    trains = Counter(outcome.task for outcome in OUTCOMES if outcome.network == "trains")
    assert {task: trains[task] for task in LEAST if trains[task] < LEAST[task]} == {}
