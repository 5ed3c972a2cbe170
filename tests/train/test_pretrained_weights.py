"""Weights of trained models: all that a body needs are read, or the model is refused."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import peft
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from engine import RunConfig, train
from engine.config.models.image_transformer import ImageTransformerConfig
from engine.config.models.transformer import TransformerConfig
from engine.errors import TrainingError
from engine.models.images.transformer import build_image_transformer
from engine.models.language.text_tokenizer import load_tokenizer
from engine.models.language.transformer import build_transformer
from engine.models.shapes import ImageShape, TextHead, TextShape
from engine.models.weights.pretrained import base_of
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from

WORDS = "Ann saw the film in Rome and it was superb but long , said Ben of Acme Works ."
SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32,
         "intermediate_size": 64, "max_position_embeddings": 66}  # fmt: skip
WEIGHTS = "model.safetensors"


def saved(folder: Path, network: Any) -> Path:
    network.save_pretrained(folder)
    tokenizer = wordpiece_from(train_wordpiece([WORDS], 200, lowercase=False))
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    """A decoder as on the hub: saved as a language model."""
    config = transformers.LlamaConfig(vocab_size=200, num_key_value_heads=2, **SMALL)
    return saved(tmp_path / "llama", transformers.LlamaForCausalLM(config))


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    config = transformers.BertConfig(vocab_size=200, **SMALL)
    return saved(tmp_path / "bert", transformers.BertForMaskedLM(config))


def built(folder: Path, head: TextHead, vocabulary: int = 200, pad: int = 0) -> Any:
    labels = ("a", "b") if head.endswith("classification") else ()
    shape = TextShape(head, vocabulary, 64, pad_token_id=pad, labels=labels)
    return build_transformer(TransformerConfig(path=str(folder)), shape)


def without(folder: Path, pattern: str) -> Path:
    """Remove the weights whose names match."""
    weights = load_file(folder / WEIGHTS)
    left = {name: value for name, value in weights.items() if not re.search(pattern, name)}
    assert len(left) < len(weights)
    save_file(left, folder / WEIGHTS, {"format": "pt"})
    return folder


def test_questions_are_answered_by_the_weights_of_a_language_model(llama: Path) -> None:
    """Its class calls the body ``transformer``, where the weights are those of ``model``."""
    network = built(llama, "question_answering")
    read = {
        name.removeprefix("model."): value
        for name, value in load_file(llama / WEIGHTS).items()
        if name.startswith("model.")
    }
    body = network.transformer.state_dict()
    assert body.keys() == read.keys()
    assert all(torch.equal(body[name], value) for name, value in read.items())
    assert network.new_layers == ["qa_outputs"]


@pytest.mark.parametrize(
    "head", ["sequence_classification", "token_classification", "question_answering", "causal_lm"]
)
def test_a_layer_that_the_weights_lack_is_named_and_refused(llama: Path, head: TextHead) -> None:
    without(llama, r"layers\.1\.mlp")
    with pytest.raises(
        TrainingError,
        match=r"besides its head: \w+\.layers\.1\.mlp\.down_proj\.weight and 2 more",
    ):
        built(llama, head)


def test_weights_of_another_size_in_the_body_are_refused(bert: Path) -> None:
    config = json.loads((bert / "config.json").read_text())
    (bert / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 70}))
    with pytest.raises(TrainingError, match="position_embeddings"):
        built(bert, "sequence_classification")


def test_a_pooler_that_the_weights_lack_is_new_with_the_head(bert: Path) -> None:
    network = built(bert, "sequence_classification")
    assert network.new_layers == ["bert.pooler.dense", "classifier"]


def test_an_image_network_without_all_its_weights_is_refused(tmp_path: Path) -> None:
    config = transformers.ViTConfig(image_size=32, patch_size=8, **{
        name: value for name, value in SMALL.items() if name != "max_position_embeddings"
    })  # fmt: skip
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    without(tmp_path, r"layer\.0\.")
    with pytest.raises(TrainingError, match=r"lacks weights that ViTForImageClassification"):
        build_image_transformer(ImageTransformerConfig(path=str(tmp_path)), ImageShape(3, 32, 2))


@pytest.mark.parametrize("head", ["sequence_classification", "causal_lm"])
def test_a_padding_token_beyond_the_vocabulary_gets_a_row(llama: Path, head: TextHead) -> None:
    network = built(llama, head, vocabulary=201, pad=200)
    assert network.get_input_embeddings().num_embeddings == 201
    assert network.added_tokens == (200,)


def test_the_padding_token_of_a_classifier_reaches_its_exported_folder(
    llama: Path, tmp_path: Path
) -> None:
    network = built(llama, "sequence_classification", vocabulary=201, pad=200).eval()
    network.save_pretrained(tmp_path / "out")
    again = transformers.LlamaForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    ids = torch.tensor([[5, 6, 7, 200], [8, 9, 10, 11]])
    mask = (ids != 200).long()
    with torch.no_grad():
        expected = network(input_ids=ids, attention_mask=mask).logits
        # The first text alone ends where its padding begins.
        alone = network(input_ids=ids[:1, :3]).logits
        torch.testing.assert_close(expected[:1], alone)
        torch.testing.assert_close(again(input_ids=ids, attention_mask=mask).logits, expected)


def test_positions_counted_from_the_padding_token_stay_so_when_exported(tmp_path: Path) -> None:
    """The tokenizer has another one than the network was trained with."""
    config = transformers.RobertaConfig(vocab_size=200, pad_token_id=1, **SMALL)
    saved(tmp_path / "roberta", transformers.RobertaForMaskedLM(config))
    network = built(tmp_path / "roberta", "sequence_classification", pad=0).eval()
    network.save_pretrained(tmp_path / "out")
    again = transformers.RobertaForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    ids = torch.tensor([[5, 6, 1, 7, 8]])
    with torch.no_grad():
        torch.testing.assert_close(again(input_ids=ids).logits, network(input_ids=ids).logits)


def test_an_embedding_keeps_the_padding_token_that_it_was_trained_with(llama: Path) -> None:
    """Another row would get no gradient, and some networks compute positions from it."""
    network = built(llama, "sequence_classification", pad=3)
    assert network.get_input_embeddings().padding_idx is None


def published(cache: Path, name: str, folder: Path) -> None:
    """Put a folder where the hub's library keeps what it downloaded."""
    place = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / "abc")
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc")


@pytest.mark.parametrize("with_config", [True, False])
def test_an_adapter_on_the_hub_is_merged_into_its_base(
    with_config: bool, llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repositories of adapters have a ``config.json`` beside, or none, and often no tokenizer."""
    cache = tmp_path / "cache"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    published(cache, "owner/base", llama)
    base = transformers.LlamaForCausalLM.from_pretrained(llama)
    adapted: Any = peft.get_peft_model(base, peft.LoraConfig(target_modules=["q_proj"]))
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data.normal_()
    adapted.peft_config["default"].base_model_name_or_path = "owner/base"
    adapted.save_pretrained(tmp_path / "adapter")
    if with_config:
        shutil.copy(llama / "config.json", tmp_path / "adapter")
    published(cache, "owner/adapter", tmp_path / "adapter")
    config = TransformerConfig(path="owner/adapter")
    shape = TextShape("causal_lm", 200, 64, pad_token_id=0)
    network = build_transformer(config, shape)
    expected = adapted.merge_and_unload().state_dict()
    found = network.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.allclose(found[name], value, atol=1e-6) for name, value in expected.items())
    assert base_of(config) == ""
    assert base_of(TransformerConfig(path="owner/base")) == "owner/base"
    assert len(load_tokenizer(config)) == len(load_tokenizer(TransformerConfig(path=str(llama))))


@pytest.mark.parametrize("ensured", [True, False])
def test_an_adapter_on_tied_embeddings_is_merged_once(ensured: bool, tmp_path: Path) -> None:
    """peft 0.21 alone merges both ends into one matrix; the layers that it applies are right."""
    config = transformers.LlamaConfig(vocab_size=200, tie_word_embeddings=True, **SMALL)
    base = saved(tmp_path / "base", transformers.LlamaForCausalLM(config))
    lora = peft.LoraConfig(target_modules=["embed_tokens"], ensure_weight_tying=ensured)
    loaded = transformers.LlamaForCausalLM.from_pretrained(base)
    adapted: Any = peft.get_peft_model(loaded, lora).eval()
    for name, parameter in adapted.named_parameters():
        if "lora_embedding" in name:
            parameter.data.normal_()
    adapted.save_pretrained(tmp_path / "adapter")
    network: Any = built(tmp_path / "adapter", "causal_lm").eval()
    ids = torch.tensor([[5, 6, 1, 7, 8]])
    with torch.no_grad():
        expected = adapted(input_ids=ids).logits
        torch.testing.assert_close(network(input_ids=ids).logits, expected, atol=1e-4, rtol=1e-4)
        network.save_pretrained(tmp_path / "merged")
        again = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "merged")
        torch.testing.assert_close(again(input_ids=ids).logits, expected, atol=1e-4, rtol=1e-4)


def test_the_code_on_the_page_of_such_an_adapter_finds_the_weights(
    llama: Path, tmp_path: Path
) -> None:
    answer = {"text": ["Rome"], "answer_start": [WORDS.index("Rome")]}
    rows = [
        {"context": f"{WORDS} {row // 2}", "question": "Where ?", "answers": answer}
        for row in range(20)
    ]
    pa.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    values = {
        "task": {"kind": "question_answering"},
        "data": {"kind": "file", "path": str(tmp_path / "rows.parquet")},
        "model": {"kind": "transformer", "path": str(llama)},
        "adapter": {"method": "lora", "r": 2},
        "train": {"max_steps": 2, "epochs": 1}, "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip
    run = train(RunConfig.parse(values))
    code = (run.model / "README.md").read_text().partition("```python")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code.replace("path/to/this/folder", str(run.model)), names)
    body = names["model"].get_base_model().transformer
    read = load_file(llama / WEIGHTS)["model.embed_tokens.weight"]
    assert torch.equal(body.embed_tokens.weight, read)
