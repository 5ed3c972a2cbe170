"""Translation and summarization from data to generated text, by the real engine."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sacrebleu
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from engine.artifacts.model_folder import load_exported
from engine.config.presets import find_preset, load_preset
from engine.config.run_config import RunConfig
from engine.data.raw import TEST, VALIDATION
from engine.errors import DataError, TrainingError
from engine.launch.in_process import train
from engine.pipelines.create import create_pipeline
from engine.runs.directory import RunDirectory
from engine.runs.events import Data, Evaluated, Event, Samples, decode
from engine.service import export, predict
from engine.service.estimate import estimate as estimate_of
from engine.text.tokens.bpe import bpe_from, ending_texts, train_bpe
from engine.training.checkpoints import checkpoint

CPU = torch.device("cpu")
WORDS = {"one": "un", "two": "deux", "three": "trois", "four": "quatre", "five": "cinq"}
SMALL = {
    "kind": "transformer", "vocab_size": 300, "hidden_size": 64, "num_hidden_layers": 1,
    "num_attention_heads": 2, "dropout": 0.0,
}  # fmt: skip


def config(data: Path, *changes: str, base: Path | None = None) -> RunConfig:
    return RunConfig.parse({
        "task": {"kind": "seq2seq", "max_new_tokens": 16},
        "data": {"kind": "file", "path": str(data)},
        "model": {"kind": "transformer", "path": str(base)} if base else SMALL,
        "train": {"epochs": 2, "batch_size": 32, "learning_rate": 5e-3},
        "compute": {"threads": 1, "device": "cpu"},
    }).override(list(changes))  # fmt: skip


def events_of(run: RunDirectory, kind: type[Event]) -> list[Any]:
    decoded = map(decode, run.events.path.read_bytes().splitlines())
    return [event for event in decoded if isinstance(event, kind)]


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in records))
    return path


@pytest.fixture
def counting(tmp_path: Path) -> Path:
    """Translations of all rows of four words, in the format of the hub."""
    rows = itertools.product(WORDS, repeat=4)
    pairs = [{"en": " ".join(row), "fr": " ".join(WORDS[word] for word in row)} for row in rows]
    broken = [{"en": "six", "fr": None}, {"en": " ", "fr": "rien"}]
    records = [{"id": i, "translation": pair} for i, pair in enumerate(pairs + broken)]
    return write_lines(tmp_path / "counting.jsonl", records)


def test_words_are_translated(counting: Path) -> None:
    run = train(config(counting, "train.epochs=20", "task.num_beams=2", "task.final_rows=20"))
    report = run.report.read() or {}
    metrics = report["metrics"][TEST]
    assert metrics["exact_match"] > 0.9
    assert metrics["bleu"] > 90
    assert report["metric"] == "bleu"
    texts, table = report["views"]
    assert set(texts["items"][0]) == {"source", "generated", "reference"}
    assert table["columns"] == ["chrf", "source", "generated", "reference"]

    [data] = events_of(run, Data)
    roles = {column["name"]: column["role"] for column in data.summary["columns"]}
    assert roles == {"id": "ignored", "en": "source", "fr": "target"}
    assert {"source tokens", "target tokens"} <= set(data.summary["facts"])
    reasons = {skip["reason"]: skip["count"] for skip in data.summary["skips"]}
    assert reasons == {"fr is empty": 1, "en is empty": 1}
    samples = events_of(run, Samples)
    assert len(samples) == 20
    assert set(samples[-1].items[0]) == {"source", "generated", "reference"}

    answer = predict.answer(run.id, ["two five one five", "", "three three four one"])
    generated = [record["generated"] for record in answer["records"]]
    assert answer["inputs"] == ["en"]
    assert (generated[0], generated[2]) == ("deux cinq un cinq", "trois trois quatre un")


def test_the_result_is_what_sacrebleu_says_of_the_predictions(counting: Path) -> None:
    run = train(config(counting, "train.max_steps=100", "task.final_rows=1000"))
    task, _, _ = load_exported(run.model, CPU)
    rows = task.pipeline.load().splits[TEST]
    records = predict.answer(run.id, rows["en"].to_pylist())["records"]
    generated = [record["generated"] for record in records]
    references = rows["fr"].to_pylist()
    metrics = (run.report.read() or {})["metrics"][TEST]
    bleu = sacrebleu.corpus_bleu(generated, [references])
    assert 0 < bleu.score < 100
    assert metrics["bleu"] == pytest.approx(bleu.score)
    assert metrics["chrf"] == pytest.approx(sacrebleu.corpus_chrf(generated, [references]).score)


def test_an_exported_folder_writes_the_same_with_transformers_alone(counting: Path) -> None:
    run = train(config(counting, "train.epochs=4"))
    sources = ["two five one", "four"]
    ours = predict.answer(run.id, sources)["records"]
    network: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(run.model)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(run.model)
    inputs = tokenizer(sources, padding=True, return_tensors="pt")
    inputs.pop("token_type_ids", None)
    theirs = tokenizer.batch_decode(
        network.generate(**inputs, max_new_tokens=16), skip_special_tokens=True
    )
    assert [record["generated"] for record in ours] == [text.strip() for text in theirs]
    assert any(theirs)


def mbart_without_a_start(tokenizer: Any) -> Any:
    """A base that does not say with which token its decoder begins."""
    network: Any = transformers.MBartForConditionalGeneration(
        transformers.MBartConfig(
            vocab_size=len(tokenizer), d_model=64, encoder_layers=1, decoder_layers=1,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64,
            decoder_ffn_dim=64, max_position_embeddings=40, init_std=0.1,
            pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
            bos_token_id=tokenizer.bos_token_id, forced_eos_token_id=None,
            decoder_start_token_id=None,
        )
    )  # fmt: skip
    network.generation_config = transformers.GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, num_beams=5, early_stopping=True, length_penalty=2.0,
    )  # fmt: skip
    return network


@pytest.mark.parametrize("beams", [1, 3])
def test_a_folder_has_the_decoding_that_was_used(
    beams: int, counting: Path, tmp_path: Path
) -> None:
    path = stand_in(tmp_path / "base", mbart_without_a_start)
    changes = ["train.epochs=4", f"task.num_beams={beams}", "task.length_penalty=0.5"]
    run = train(config(counting, *changes, base=path))
    sources = ["two five one", "four", "one one three two"]
    ours = predict.answer(run.id, sources)["records"]
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(run.model)
    network: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(run.model)
    inputs = tokenizer(sources, padding=True, return_tensors="pt", return_token_type_ids=False)
    theirs = tokenizer.batch_decode(network.generate(**inputs), skip_special_tokens=True)
    assert [record["generated"] for record in ours] == [text.strip() for text in theirs]
    assert any(theirs)
    assert network.config.decoder_start_token_id == tokenizer.pad_token_id


def test_without_written_texts_the_loss_decides(counting: Path) -> None:
    run = train(config(counting, "task.eval_rows=0", "task.final_rows=5"))
    assert all(set(event.metrics) == {"loss"} for event in events_of(run, Evaluated)[:-1])
    report = run.report.read() or {}
    assert report["metric"] == "loss"
    assert "bleu" in report["metrics"][TEST]


def test_resuming_changes_nothing(counting: Path) -> None:
    chosen = config(
        counting, "train.save_steps=5", "train.max_steps=14", "train.eval_steps=4",
        "model.dropout=0.1", "train.save_total_limit=9", "task.num_beams=2",
    )  # fmt: skip
    run = train(chosen)
    expected = checkpoint.load_newest(run.checkpoints)[1]
    for saved in checkpoint.found(run.checkpoints):
        if saved.step > 5:
            for file in saved.path.iterdir():
                file.unlink()
    train(run.config.read(), run)
    actual = checkpoint.load_newest(run.checkpoints)[1]
    assert actual["position"]["step"] == 14
    for name, value in expected["network"].items():
        assert torch.equal(value, actual["network"][name]), name


def tiny_t5(tokenizer: Any) -> Any:
    return transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=len(tokenizer), d_model=64, d_kv=32, d_ff=64, num_layers=1, num_heads=2,
            initializer_factor=0.5, pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.pad_token_id,
        )  # type: ignore[call-arg]
    )  # fmt: skip


def tiny_bart(tokenizer: Any) -> Any:
    return transformers.BartForConditionalGeneration(
        transformers.BartConfig(
            vocab_size=len(tokenizer), d_model=64, encoder_layers=1, decoder_layers=1,
            encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64,
            decoder_ffn_dim=64, max_position_embeddings=40, init_std=0.1,
            pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
            bos_token_id=tokenizer.bos_token_id, forced_eos_token_id=tokenizer.eos_token_id,
            decoder_start_token_id=tokenizer.eos_token_id,
        )
    )  # fmt: skip


def stand_in(folder: Path, build: Callable[[Any], Any]) -> Path:
    """A model in the format of the hub."""
    tokenizer = bpe_from(ending_texts(train_bpe([*WORDS, *WORDS.values()], 300)))
    torch.manual_seed(0)
    build(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("build", [tiny_t5, tiny_bart])
def test_a_trained_model_continues_learning(
    counting: Path, tmp_path: Path, build: Callable[[Any], Any]
) -> None:
    path = stand_in(tmp_path / "base", build)
    run = train(config(counting, "task.prefix='to French: '", "train.epochs=6", base=path))
    # Guessing among all tokens has a loss of 5.7 nats.
    assert (run.report.read() or {})["metrics"][TEST]["loss"] < 3
    [record] = predict.answer(run.id, ["one two three"])["records"]
    assert record["source"] == "one two three"
    assert record["generated"]
    _, fitted, _ = load_exported(run.model, CPU)
    network: Any = build(bpe_from(fitted.tokenizer or ending_texts(train_bpe(WORDS, 300))))
    assert fitted.decoder_start_token_id == network.config.decoder_start_token_id
    limit = getattr(network.config, "max_position_embeddings", 128)
    assert fitted.max_length == fitted.max_target_length == min(128, limit)


def test_lora_trains_queries_and_values_of_t5(counting: Path, tmp_path: Path) -> None:
    path = stand_in(tmp_path / "base", tiny_t5)
    run = train(
        config(counting, "adapter.method=lora", "adapter.target_modules=['q', 'v']", base=path)
    )
    adapter = json.loads((run.model / "adapter_config.json").read_text())
    assert set(adapter["target_modules"]) == {"q", "v"}
    assert predict.answer(run.id, ["one two"])["records"][0]["source"] == "one two"


def t5_of_the_hub(folder: Path) -> Path:
    """A tiny T5 with a tokenizer of T5's kind."""
    unigram = Tokenizer(models.Unigram())
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    marks = ["<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=100, special_tokens=marks, unk_token="<unk>", show_progress=False
    )
    unigram.train_from_iterator([*WORDS, *WORDS.values()] * 9, trainer)
    vocabulary = [(text, score) for text, score in json.loads(unigram.to_str())["model"]["vocab"]]
    tokenizer: Any = transformers.T5Tokenizer(vocab=vocabulary, extra_ids=4)
    tiny_t5(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", ["opus-t5", "cnn-t5-lora"])
def test_presets_for_the_hub_train_on_data_of_the_same_form(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    preset = load_preset(find_preset(name))
    pairs = [{"en": english, "fr": french} for english, french in WORDS.items()] * 8
    columns: dict[str, Any] = {"id": list(map(str, range(40)))}
    if name == "opus-t5":
        columns["translation"] = pairs
    else:
        columns["article"] = [pair["en"] for pair in pairs]
        columns["highlights"] = [pair["fr"] for pair in pairs]
    folder = tmp_path / "data"
    for split in ("train", "validation"):
        (folder / split).mkdir(parents=True)
        pq.write_table(pa.table(columns), folder / split / "0.parquet")
    assert preset.data.kind == "hub"
    named = f"configs:\n- config_name: {preset.data.config}\n  data_dir: .\n"
    (folder / "README.md").write_text(f"---\n{named}---\n")
    model = t5_of_the_hub(tmp_path / "model")
    changes = [f"data.name={folder}", f"model.path={model}", "train.max_steps=2",
               "compute.threads=1", "task.max_new_tokens=8"]  # fmt: skip
    run = train(preset.override(changes))
    assert {"bleu", "chrf", "exact_match", "loss"} <= set(
        (run.report.read() or {})["metrics"][VALIDATION]
    )
    [record] = predict.answer(run.id, ["one two"])["records"]
    assert set(record) == {"source", "generated"}


@pytest.mark.slow
def test_a_program_of_the_network_says_the_same(counting: Path, tmp_path: Path) -> None:
    run = train(config(counting, "train.max_steps=2"))
    for form in ("folder", "program"):
        told = export.answer(run.id, str(tmp_path / form), form)
        assert told["difference"] < 1e-4


def test_its_cost_is_reported_beforehand(counting: Path) -> None:
    estimate = estimate_of(config(counting))
    assert estimate.memory.activations > 0
    assert estimate.largest_batch > 0
    assert estimate.parameters == estimate.trainable


def test_a_network_of_another_kind_is_refused(counting: Path, tmp_path: Path) -> None:
    def decoder(tokenizer: Any) -> Any:
        return transformers.LlamaForCausalLM(
            transformers.LlamaConfig(
                vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1,
                num_attention_heads=2, intermediate_size=16,
            )
        )  # fmt: skip

    path = stand_in(tmp_path / "base", decoder)
    with pytest.raises(TrainingError, match="are not made for seq2seq lm"):
        train(config(counting, base=path))


def test_data_without_two_sides_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "one.jsonl", [{"text": "alone"}] * 9)
    chosen = config(path)
    with pytest.raises(DataError, match=r"Which columns hold .* Set task\.source"):
        create_pipeline(chosen).load()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_preset_for_dates_learns_them() -> None:
    run = train(load_preset(find_preset("dates-t5")))
    assert (run.report.read() or {})["metrics"][TEST]["exact_match"] >= 0.9


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(5400)
def test_a_small_t5_translates_captions(real_data: Path) -> None:
    """BLEU of sacrebleu on all 1,014 validation rows, greedy decoding; median of three seeds."""
    results = []
    for seed in range(3):
        changes = [f"data.path={real_data / 'multi30k'}", f"train.seed={seed}"]
        run = train(load_preset(find_preset("multi30k-t5"), changes))
        results.append((run.report.read() or {})["metrics"][VALIDATION]["bleu"])
    assert statistics.median(results) >= 15
