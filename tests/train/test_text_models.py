"""Transformers of many architectures, as local stand-ins for the hub's; and missing models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
import torch
import transformers
from tokenizers import ByteLevelBPETokenizer

from engine import RunConfig, train
from engine.config.models.transformer import TransformerConfig
from engine.config.models.weights_path import source_of
from engine.config.presets import find_preset, load_preset
from engine.errors import TrainingError
from engine.models.language.text_tokenizer import load_tokenizer, longest_input
from engine.models.language.transformer import build_transformer
from engine.models.weights.weightless import WEIGHTS, stored_weights, write_weightless
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from

WORDS = "Ann saw the film in Rome and it was superb but long , said Ben of Acme Works ."
SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32,
         "intermediate_size": 64, "max_position_embeddings": 66}  # fmt: skip


def _bert(folder: Path) -> None:
    tokenizer = wordpiece_from(train_wordpiece([WORDS], 200, lowercase=False))
    tokenizer.save_pretrained(folder)
    config = transformers.BertConfig(vocab_size=len(tokenizer), **SMALL)
    transformers.BertForMaskedLM(config).save_pretrained(folder)


def _distilbert(folder: Path) -> None:
    tokenizer = wordpiece_from(train_wordpiece([WORDS], 200, lowercase=True))
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    tokenizer.save_pretrained(folder)
    config = transformers.DistilBertConfig(
        vocab_size=len(tokenizer), n_layers=2, n_heads=2, dim=32, hidden_dim=64,
        max_position_embeddings=64,
    )  # fmt: skip
    transformers.DistilBertForMaskedLM(config).save_pretrained(folder)


def _byte_level(folder: Path, specials: list[str]) -> Path:
    trainer = ByteLevelBPETokenizer(add_prefix_space=False)
    trainer.train_from_iterator([WORDS], vocab_size=400, min_frequency=1, special_tokens=specials)
    folder.mkdir(exist_ok=True)
    trainer.save_model(str(folder))
    return folder


def _roberta(folder: Path) -> None:
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = _byte_level(folder, specials)
    tokenizer = transformers.RobertaTokenizerFast.from_pretrained(trained, model_max_length=64)
    tokenizer.save_pretrained(folder)
    config = transformers.RobertaConfig(vocab_size=len(tokenizer), pad_token_id=1, **SMALL)
    transformers.RobertaForMaskedLM(config).save_pretrained(folder)


def _gpt2(folder: Path) -> None:
    trained = _byte_level(folder, ["<|endoftext|>"])
    tokenizer = transformers.GPT2TokenizerFast.from_pretrained(trained)
    tokenizer.save_pretrained(folder)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer), n_layer=2, n_head=2, n_embd=32, n_positions=64,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)


MAKERS: dict[str, Callable[[Path], None]] = {
    "bert": _bert, "distilbert": _distilbert, "roberta": _roberta, "gpt2": _gpt2,
}  # fmt: skip


@pytest.fixture
def trained(tmp_path: Path) -> Callable[[str], Path]:
    """Save a small model of an architecture into a folder."""

    def make(kind: str) -> Path:
        folder = tmp_path / kind
        folder.mkdir(exist_ok=True)
        MAKERS[kind](folder)
        return folder

    return make


def _noted(table: pa.Table, features: dict[str, Any]) -> pa.Table:
    note = json.dumps({"info": {"features": features}}).encode()
    return table.replace_schema_metadata({b"huggingface": note})


def _imdb() -> pa.Table:
    table = pa.table({"text": [WORDS, WORDS[:30]] * 20, "label": [1, 0] * 20})
    return _noted(table, {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}})


def _mnli() -> pa.Table:
    table = pa.table({
        "premise": [WORDS] * 40, "hypothesis": ["Ann saw Rome ."] * 40,
        "label": [0, 1, 2, -1] * 10, "idx": list(range(40)),
    })  # fmt: skip
    names = ["entailment", "neutral", "contradiction"]
    return _noted(table, {"label": {"names": names, "_type": "ClassLabel"}})


def _conll2003() -> pa.Table:
    tokens = WORDS.split()
    tags = [1 if word in ("Ann", "Ben") else 2 if word == "Rome" else 0 for word in tokens]
    table = pa.table({
        "id": [str(row) for row in range(40)], "tokens": [tokens] * 40,
        "pos_tags": [[0] * len(tokens)] * 40, "chunk_tags": [[0] * len(tokens)] * 40,
        "ner_tags": [tags] * 40,
    })  # fmt: skip
    names = {"names": ["O", "B-PER", "B-LOC"], "_type": "ClassLabel"}
    return _noted(table, {"ner_tags": {"feature": names, "_type": "List"}})


def _squad(lacking: bool = False) -> pa.Table:
    answer = {"text": ["Rome"], "answer_start": [WORDS.index("Rome")]}
    none: dict[str, list[Any]] = {"text": [], "answer_start": []}
    rows = [
        {"id": str(row), "title": "Ann", "context": WORDS + f" {row // 2}", "question": "Where ?",
         "answers": none if lacking and row % 2 else answer}
        for row in range(40)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


CLASSICS = [
    ("imdb-distilbert", "distilbert", _imdb, "accuracy"),
    ("mnli-roberta", "roberta", _mnli, "accuracy"),
    ("conll2003-bert", "bert", _conll2003, "f1"),
    ("squad-bert", "bert", _squad, "exact_match"),
    ("squad2-roberta", "roberta", lambda: _squad(lacking=True), "exact_match"),
]


@pytest.mark.parametrize(("preset", "kind", "table", "metric"), CLASSICS)
def test_presets_of_the_hub_train_on_stand_ins_of_the_same_kind(
    trained: Callable[[str], Path], tmp_path: Path, preset: str, kind: str,
    table: Callable[[], pa.Table], metric: str,
) -> None:  # fmt: skip
    data = tmp_path / "data.parquet"
    pa.parquet.write_table(table(), data)
    config = load_preset(find_preset(preset), [
        "data.kind=file", f"data.path={data}", "data.validation_fraction=0.3",
        f"model.path={trained(kind)}", "train.max_steps=2", "train.batch_size=8",
        "compute.threads=1",
    ])  # fmt: skip
    report = train(config).report.read() or {}
    assert 0 <= report["metrics"]["test"][metric] <= 1


HEADS = [
    ("text_classification", _imdb, "roberta"),
    ("text_classification", _imdb, "gpt2"),
    ("token_classification", _conll2003, "roberta"),
    ("token_classification", _conll2003, "gpt2"),
    ("question_answering", _squad, "distilbert"),
]


@pytest.mark.parametrize(("task", "table", "kind"), HEADS)
def test_encoders_and_decoders_learn_what_is_always_the_same(
    trained: Callable[[str], Path], tmp_path: Path, task: str, table: Callable[[], pa.Table],
    kind: str,
) -> None:  # fmt: skip
    data = tmp_path / "data.parquet"
    pa.parquet.write_table(table(), data)
    config = RunConfig.parse({
        "task": {"kind": task},
        "data": {"kind": "file", "path": str(data)},
        "model": {"kind": "transformer", "path": str(trained(kind))},
        "train": {"epochs": 15, "batch_size": 8, "learning_rate": 5e-3},
        "compute": {"threads": 1},
    })  # fmt: skip
    metrics = (train(config).report.read() or {})["metrics"]["test"]
    assert metrics[config.task.metric().name] == 1


def test_attention_is_that_of_torch(trained: Callable[[str], Path]) -> None:
    network: Any = _built(trained("bert"))
    assert network.config._attn_implementation == "sdpa"


def test_weights_come_in_float32_whatever_they_were_saved_in(
    trained: Callable[[str], Path],
) -> None:
    folder = trained("bert")
    half = transformers.AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.bfloat16)
    half.save_pretrained(folder)
    assert {p.dtype for p in _built(folder).parameters()} == {torch.float32}


def test_the_size_is_reported_without_reading_weights(trained: Callable[[str], Path]) -> None:
    folder = trained("bert")
    write_weightless(stored_weights(str(folder), "main"), folder / WEIGHTS)
    with torch.device("meta"):
        network = _built(folder)
    assert {p.device.type for p in network.parameters()} == {"meta"}


def test_new_heads_are_the_same_for_the_same_seed(trained: Callable[[str], Path]) -> None:
    folder = trained("bert")
    heads = []
    for _ in range(2):
        torch.manual_seed(7)
        network: Any = _built(folder)
        heads.append(network.classifier.weight)
    assert torch.equal(*heads)


def test_a_name_that_is_not_here_is_refused_without_network() -> None:
    with pytest.raises(TrainingError, match=r"owner/name is not on this machine.*local folder"):
        load_tokenizer(TransformerConfig(path="owner/name"))


def test_a_tokenizer_without_a_limit_gets_that_of_the_positions(
    trained: Callable[[str], Path], tmp_path: Path
) -> None:
    """RoBERTa's positions begin behind the padding token's number: 66 of them hold 64 tokens."""
    folder = trained("roberta")
    path = folder / "tokenizer_config.json"
    noted = {k: v for k, v in json.loads(path.read_text()).items() if k != "model_max_length"}
    path.write_text(json.dumps(noted))
    config = TransformerConfig(path=str(folder))
    assert longest_input(config, load_tokenizer(config)) == 64
    rows = pa.table({"text": [" ".join([WORDS] * 20), WORDS] * 20, "label": ["long", "short"] * 20})
    pyarrow.parquet.write_table(rows, tmp_path / "rows.parquet")
    values = {
        "task": {"kind": "text_classification", "max_length": 512},
        "data": {"kind": "file", "path": str(tmp_path / "rows.parquet")},
        "model": {"kind": "transformer", "path": str(folder)},
        "train": {"max_steps": 2, "epochs": 1}, "compute": {"device": "cpu"},
    }  # fmt: skip
    run = train(RunConfig.parse(values))
    assert json.loads((run.model / "fitted.json").read_text())["max_length"] == 64


@pytest.mark.parametrize(("kind", "tokens"), [("bert", 66), ("distilbert", 64), ("gpt2", 64)])
def test_other_models_use_all_their_positions(
    kind: str, tokens: int, trained: Callable[[str], Path]
) -> None:
    config = TransformerConfig(path=str(trained(kind)))
    assert longest_input(config, load_tokenizer(config)) == tokens


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"holds no transformers model \(no config\.json\)"):
        source_of(str(tmp_path))


def test_pickled_weights_are_refused(trained: Callable[[str], Path]) -> None:
    folder = trained("bert")
    network = transformers.AutoModelForMaskedLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(TrainingError, match="no weights in safetensors format"):
        _built(folder)


def test_code_of_a_model_is_not_run(trained: Callable[[str], Path]) -> None:
    folder = trained("bert")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "code.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(TrainingError, match="needs custom code, which is never run here"):
        _built(folder)


def test_damaged_weights_are_refused(trained: Callable[[str], Path]) -> None:
    folder = trained("bert")
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"model\.path: .* cannot be loaded"):
        _built(folder)


def test_a_network_for_other_things_is_refused(trained: Callable[[str], Path]) -> None:
    folder = trained("bert")
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "vit"}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(TrainingError, match=r"vit networks .* are not made for sequence"):
        _built(folder)


def _built(folder: Path) -> torch.nn.Module:
    from engine.models.shapes import TextShape

    shape = TextShape("sequence_classification", 10, 64, pad_token_id=0, labels=("a", "b"))
    return build_transformer(TransformerConfig(path=str(folder)), shape)
