"""Texts from texts: the columns, the batches, the generated text, and its metrics."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers
from sacrebleu.metrics import BLEU, CHRF
from transformers.trainer_pt_utils import LabelSmoother

from engine.batches.source import Batch
from engine.config.run_config import RunConfig
from engine.config.tasks.seq2seq import Seq2SeqConfig
from engine.data.builtin.dates import dates, in_words
from engine.data.labels import IGNORED
from engine.data.raw import TRAIN, RawData
from engine.errors import DataError
from engine.metrics.text.translation import (
    TranslationEvaluator,
    Written,
    evaluate_texts,
    text_views,
)
from engine.tasks.create import create_task
from engine.text.generation.writing import Writing, written
from engine.text.sides import laid_open, sides
from engine.text.tokens.bpe import bpe_from, ending_texts, train_bpe

CPU = torch.device("cpu")
PAIRS = [
    ("The cat sits on the mat.", "The cat sat on the mat."),
    ("It is 3 o'clock, isn't it?", "It's three o'clock, is it not?"),
    ("Nothing in common", "Quelque chose d'autre"),
    ("The same sentence, word for word.", "The same sentence, word for word."),
    ("", "A reference without an answer."),
]
TEXTS = [Written("source", generated, reference) for generated, reference in PAIRS]


@pytest.mark.parametrize("tokenize", ["13a", "intl", "char", "none"])
def test_scores_are_those_of_sacrebleu(tokenize: str) -> None:
    generated, references = map(list, zip(*PAIRS, strict=True))
    metrics = evaluate_texts(TEXTS, tokenize).metrics
    bleu = BLEU(tokenize=tokenize).corpus_score(generated, [references])
    assert metrics["bleu"] == pytest.approx(bleu.score)
    assert metrics["chrf"] == pytest.approx(CHRF().corpus_score(generated, [references]).score)
    assert metrics["exact_match"] == pytest.approx(1 / 5)


def test_references_score_a_hundred() -> None:
    metrics = evaluate_texts([Written("", text, text) for _, text in PAIRS]).metrics
    assert metrics == pytest.approx({"bleu": 100.0, "chrf": 100.0, "exact_match": 1.0})


def test_texts_shorter_than_four_words_have_a_score_too() -> None:
    right = [Written("", "deux mots", "deux mots"), Written("", "un", "un")]
    assert evaluate_texts(right).metrics["bleu"] == pytest.approx(100)
    wrong = [Written("", "deux noms", "deux mots"), Written("", "un", "un")]
    assert 0 < evaluate_texts(wrong).metrics["bleu"] < 100


def test_the_texts_furthest_from_their_references_come_first() -> None:
    texts, table = text_views(TEXTS)
    assert len(texts.record()["items"]) == 5
    rows = table.record()["rows"]
    assert rows[0][2] == "—"
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)


def table(*names: str) -> pa.Table:
    return pa.table({name: [f"some {name}"] for name in names} | {"number": [1]})


@pytest.mark.parametrize(
    ("columns", "chosen", "found"),
    [
        (("en", "fr"), ("", ""), ("en", "fr")),
        (("fr", "en"), ("en", ""), ("en", "fr")),
        (("en", "fr"), ("", "en"), ("fr", "en")),
        (("id", "highlights", "article"), ("", ""), ("article", "highlights")),
        (("id", "Dialogue", "summary"), ("", ""), ("Dialogue", "summary")),
        (("a", "b", "c"), ("c", "a"), ("c", "a")),
        (("id", "en", "de"), ("", ""), ("en", "de")),
        (("doc_id", "en", "de"), ("de", ""), ("de", "en")),
        (("id", "article", "highlights"), ("article", ""), ("article", "highlights")),
    ],
)
def test_both_sides_are_found(
    columns: tuple[str, ...], chosen: tuple[str, str], found: tuple[str, str]
) -> None:
    assert sides(table(*columns), *chosen) == found


@pytest.mark.parametrize(
    ("columns", "chosen", "message"),
    [
        (("a", "b", "c"), ("", ""), r"Texts are in a, b, c\. Set task\.source"),
        (("a", "b", "c"), ("a", ""), r"Texts are in b, c"),
        (("source", "target", "c"), ("c", ""), r"Texts are in source, target"),
        (("a",), ("", ""), r"Which columns"),
        (("a", "b"), ("x", ""), r"task\.source: there is no column 'x'"),
        (("a", "b"), ("a", "a"), r"task\.target: 'a' is the source already"),
    ],
)
def test_sides_that_are_not_clear_are_asked_for(
    columns: tuple[str, ...], chosen: tuple[str, str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        sides(table(*columns), *chosen)


def test_a_record_of_languages_is_laid_open() -> None:
    rows = [{"en": "one", "fr": "un"}, None, {"en": "two", "fr": "deux"}]
    languages = pa.struct([("en", pa.string()), ("fr", pa.string())])
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {
        "id": [1, 2, 3],
        "translation": pa.array(rows, languages),
        "image": pa.array([{"bytes": b"", "path": ""}] * 3, image),
    }
    opened = laid_open(RawData({TRAIN: pa.table(columns)})).train
    assert opened.column_names == ["id", "en", "fr", "image"]
    assert opened["fr"].to_pylist() == ["un", None, "deux"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    texts = ["the cat sat on the mat", "le chat était assis sur le tapis"]
    return bpe_from(ending_texts(train_bpe(texts, 300)))


@pytest.fixture(scope="module")
def network(tokenizer: Any) -> Any:
    torch.manual_seed(0)
    return transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            vocab_size=len(tokenizer), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2,
            initializer_factor=4.0, pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    ).eval()  # fmt: skip


def test_each_text_ends_with_the_token_for_the_end(tokenizer: Any) -> None:
    tokens = tokenizer("the cat")["input_ids"]
    assert tokens[-1] == tokenizer.eos_token_id != tokenizer.pad_token_id
    assert tokenizer("the cat " * 9, truncation=True, max_length=5)["input_ids"][-1] == tokens[-1]
    assert tokenizer.decode(tokens, skip_special_tokens=True) == "the cat"


def test_texts_are_the_same_alone_and_among_longer_ones(tokenizer: Any, network: Any) -> None:
    sources = ["the cat", "le chat était assis sur le tapis", "mat", "the cat sat on the mat"] * 40
    tokens = [torch.tensor(tokenizer(source)["input_ids"]) for source in sources]
    for writing in (Writing(8), Writing(8, num_beams=3)):
        texts = written(network, tokenizer, tokens, tokenizer.pad_token_id, writing)
        alone = [
            written(network, tokenizer, [one], tokenizer.pad_token_id, writing)[0]
            for one in tokens[:4]
        ]
        assert texts == alone * 40
        assert len(set(alone)) > 1


def config(**task: Any) -> RunConfig:
    return RunConfig.parse({
        "task": {"kind": "seq2seq"} | task,
        "data": {"kind": "builtin", "name": "dates"},
        "model": {"kind": "transformer", "vocab_size": 300, "hidden_size": 16,
                  "num_hidden_layers": 1, "num_attention_heads": 2, "dropout": 0.0},
    })  # fmt: skip


def prepared(chosen: RunConfig) -> tuple[Any, Any, Batch]:
    task: Any = create_task(chosen)
    rows = task.pipeline.load().train.slice(0, 40)
    fitted = task.pipeline.fit(RawData({TRAIN: rows}))
    source = task.encode(rows, fitted, CPU, lambda event: None)
    return task, fitted, next(source.read(source.evaluation_plan(40)))


def test_the_decoder_sees_each_target_one_place_late() -> None:
    task, fitted, batch = prepared(config(prefix="in words: "))
    tokenizer = task.pipeline.tokenizer(fitted.tokenizer)
    labels, seen = batch.targets["labels"], batch.inputs["decoder_input_ids"]
    words = batch.rows["words"].to_pylist()
    assert batch.weight == sum(len(tokenizer(text)["input_ids"]) for text in words)
    for text, row, before, source, figures in zip(
        words, labels, seen, batch.inputs["input_ids"], batch.rows["date"].to_pylist(), strict=True
    ):
        learned = row[row != IGNORED]
        assert learned.tolist() == tokenizer(text)["input_ids"]
        assert before[0] == tokenizer.pad_token_id
        assert before[1 : len(learned)].tolist() == learned[:-1].tolist()
        assert tokenizer.decode(source, skip_special_tokens=True) == f"in words: {figures}"


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_transformers(smoothing: float) -> None:
    task, fitted, batch = prepared(config(label_smoothing=smoothing))
    network: Any = task.build_network(fitted).eval()
    labels = batch.targets["labels"]
    inputs = {name: batch.inputs[name] for name in ("input_ids", "attention_mask")}
    output = network(**inputs, labels=labels)
    theirs = LabelSmoother(epsilon=smoothing)(output, labels) if smoothing else output.loss
    assert task.loss(network, batch).item() == pytest.approx(theirs.item(), rel=1e-5)


def test_texts_are_written_for_so_many_rows_as_asked(tokenizer: Any, network: Any) -> None:
    asked: list[tuple[int, bool]] = []

    def write(network: Any, sources: Any, final: bool) -> list[str]:
        asked.append((len(sources), final))
        return ["text"] * len(sources)

    task, fitted, batch = prepared(config())
    network = task.build_network(fitted).eval()
    pairs = lambda rows: (rows["date"].to_pylist(), rows["words"].to_pylist())  # noqa: E731
    for rows in ((3, 7), (0, 7)):
        evaluator = TranslationEvaluator(write, pairs, rows)
        with torch.inference_mode():
            evaluator.update(network, batch)
        assert "bleu" in evaluator.compute(views=True).metrics
        metrics = evaluator.compute().metrics
        assert metrics["loss"] == pytest.approx(task.loss(network, batch).item(), rel=1e-5)
        assert ("bleu" in metrics) == bool(rows[0])
    assert asked == [(7, True), (3, False), (7, True)]


def test_without_written_texts_the_loss_decides() -> None:
    assert Seq2SeqConfig().metric().name == "bleu"
    assert Seq2SeqConfig(eval_rows=0).metric().name == "loss"
    assert Seq2SeqConfig(eval_rows=0).metric("chrf").name == "chrf"


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (date(1984, 3, 21), "the twenty-first of March, nineteen hundred and eighty-four"),
        (date(1900, 12, 30), "the thirtieth of December, nineteen hundred"),
        (date(2000, 1, 12), "the twelfth of January, two thousand"),
        (date(2008, 5, 5), "the fifth of May, two thousand and eight"),
        (date(2099, 8, 17), "the seventeenth of August, two thousand and ninety-nine"),
    ],
)
def test_dates_are_put_in_words(day: date, words: str) -> None:
    assert in_words(day) == words


def test_dates_are_the_same_each_time_and_all_different() -> None:
    rows = dates().train
    assert rows.equals(dates().train)
    assert len(set(rows["words"].to_pylist())) == rows.num_rows == 4000
    assert np.mean([text[0].isalpha() for text in rows["date"].to_pylist()]) > 0.1


def test_texts_of_which_most_share_nothing_with_their_references_are_evaluated() -> None:
    """Some resamples have chrF 0, which sacrebleu 2.6 cannot average with the others."""
    texts = [Written("s", "xyz", "abc"), Written("s", "uvw", "def"), Written("s", "right", "right")]
    found = evaluate_texts(texts, views=True)
    plain = CHRF().corpus_score([text.generated for text in texts], [["abc", "def", "right"]])
    assert found.metrics["chrf"] == pytest.approx(plain.score)
    assert found.metrics["exact_match"] == pytest.approx(1 / 3)
    assert {"bleu", "exact_match"} <= set(found.intervals)
