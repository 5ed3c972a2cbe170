"""Text embedding: columns and faults of the data, the losses, and cached gradients."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.errors import DataError
from engine.metrics.retrieval.similarity import correlations
from engine.metrics.text.contrastive import (
    InBatchNegatives,
    TextKeys,
    cosent_loss,
    cosine_loss,
    matryoshka,
)
from engine.models.language.cached_gradients import cached_loss

Make = Callable[..., Any]
KIND = "embedding"
QUERIES = ["red fruit", "sour fruit", "long fruit", "round vegetable", "green leaf"]
PASSAGES = ["an apple", "a lemon", "some banana", "one onion", "the spinach"]
NEGATIVES = ["a cherry tree", "the lime", "a cucumber", "a potato", "a tree"]


def vectors(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def keys(rows: int, columns: int = 1) -> TextKeys:
    """Numbers of texts that are all different."""
    numbers = torch.arange(rows * (columns + 1)).reshape(columns + 1, rows)
    return TextKeys(numbers[0], numbers[1:].T)


# Columns.


@pytest.mark.parametrize(
    ("names", "form"),
    [
        (("anchor", "positive"), "pairs"), (("Query", "Document"), "pairs"),
        (("question", "answer"), "pairs"), (("other", "another"), "pairs"),
    ],
)  # fmt: skip
def test_pairs_are_found_by_name_or_as_the_only_two_texts(
    prepare: Make, names: tuple[str, str], form: str
) -> None:
    prepared = prepare(KIND, dict(zip(names, (QUERIES, PASSAGES), strict=True)))
    columns = prepared.fitted.columns
    assert (columns.anchor, columns.positive, columns.form) == (*names, form)


@pytest.mark.parametrize("write", [list, json.dumps])
@pytest.mark.parametrize("name", ["neg", "negatives", "hard_negatives"])
def test_lists_of_passages_are_columns(prepare: Make, name: str, write: Any) -> None:
    negatives = [[text, f"{text} too", f"{text} more"][: 2 + row % 2]
                 for row, text in enumerate(NEGATIVES)]  # fmt: skip
    rows = {"query": QUERIES, "pos": [write([text]) for text in PASSAGES],
            name: [write(texts) for texts in negatives]}  # fmt: skip
    prepared = prepare(KIND, rows)
    columns = prepared.fitted.columns
    assert (columns.anchor, columns.positive) == ("query", "pos")
    assert columns.negatives == (f"{name}_1", f"{name}_2")
    [first] = prepared.raw.train.slice(0, 1).to_pylist()
    assert first["pos"] in PASSAGES
    assert first[f"{name}_2"] == f"{first[f'{name}_1']} too"
    notes = {note.column: (note.why, note.rows, note.kind) for note in prepared.raw.notes}
    assert notes["pos"] == ("lists of 1 text", None, "converted")
    told = "lists of up to 3 texts: the first 2 of each are read"
    assert notes[name] == (told, 2, "dropped")


def test_the_positives_of_a_list_are_rows_of_one_split(prepare: Make) -> None:
    rows = {"query": QUERIES * 4, "pos": [[f"{text} {n}", f"{text} {n} too"]
            for n, text in enumerate(PASSAGES * 4)]}  # fmt: skip
    rows["query"] = [f"{query} {n}" for n, query in enumerate(rows["query"])]
    data = {"validation_fraction": 0.2, "test_fraction": 0.2}
    prepared = prepare(KIND, rows, data=data)
    queries = [set(table["query"].to_pylist()) for table in prepared.raw.splits.values()]
    assert [len(own) for own in queries] == [12, 4, 4]
    assert len(set.union(*queries)) == 20
    assert sum(table.num_rows for table in prepared.raw.splits.values()) == 40


def test_passages_of_a_list_have_the_vector_of_the_first_at_prediction(prepare: Make) -> None:
    """It was that of the whole list, as Python writes it."""
    prepared = prepare(KIND, {"query": QUERIES, "pos": PASSAGES})
    network = prepared.network()
    alone = {"query": ["red fruit"], "pos": ["a lemon"]}
    listed = {"query": ["red fruit"], "pos": [["a lemon", "an apple"]]}
    assert prepared.predictions(network, listed) == prepared.predictions(network, alone)
    notes = list(prepared.task.pipeline.unfit(pa.table(listed), prepared.fitted))
    assert [(note.column, note.rows, note.kind) for note in notes] == [("pos", 1, "dropped")]


def test_a_list_of_negatives_may_have_any_name(prepare: Make) -> None:
    rows = {"query": QUERIES, "answer": PASSAGES, "wrong": [[text] for text in NEGATIVES]}
    assert prepare(KIND, rows).fitted.columns.negatives == ()
    assert prepare(KIND, rows, negatives=["wrong"]).fitted.columns.negatives == ("wrong_1",)


def test_rows_with_an_empty_list_of_negatives_are_left_out(prepare: Make) -> None:
    rows = {"query": QUERIES, "answer": PASSAGES, "neg": [[], *([text] for text in NEGATIVES[1:])]}
    [skip] = prepare(KIND, rows).raw.skips
    assert (skip.reason, skip.count) == ("neg_1 is empty", 1)


def test_negatives_in_several_columns_are_found(prepare: Make) -> None:
    rows = {"query": QUERIES, "positive": PASSAGES, "negative_1": NEGATIVES,
            "negative_2": NEGATIVES[::-1], "id": ["1", "2", "3", "4", "5"]}  # fmt: skip
    rows["negative_2"][2] = "a marrow"
    columns = prepare(KIND, rows).fitted.columns
    assert columns.negatives == ("negative_1", "negative_2")
    assert columns.form == "triplets"


def test_passages_with_titles_are_read_and_identifiers_are_not(prepare: Make) -> None:
    """As Tevatron writes them."""
    rows = {
        "query_id": ["1", "2", "3", "4", "5"],
        "query": QUERIES,
        "positive_passages": [[{"docid": "1", "title": "T", "text": text}] for text in PASSAGES],
        "negative_passages": [[{"docid": "2", "title": "", "text": text}] for text in NEGATIVES],
    }
    prepared = prepare(KIND, rows)
    columns = prepared.fitted.columns
    assert (columns.anchor, columns.form) == ("query", "triplets")
    first = prepared.raw.train.slice(0, 1).to_pylist()[0]
    assert first[columns.positive] == "T an apple"
    assert first[columns.negatives[0]] == "a cherry tree"


@pytest.mark.parametrize("classes", [[0, 1, 2], [0, 1, -1, 2], ["entailment", "contradiction"]])
def test_classes_of_inference_are_not_taken_for_scores(prepare: Make, classes: list[Any]) -> None:
    labels = [classes[number % len(classes)] for number in range(5)]
    rows = {"premise": QUERIES, "hypothesis": PASSAGES, "label": labels}
    with pytest.raises(DataError, match="'label' has classes of inference, not scores"):
        prepare(KIND, rows)
    assert prepare(KIND, rows, score="-").fitted.columns.form == "pairs"


def test_labels_of_0_and_1_are_scores(prepare: Make) -> None:
    rows = {"premise": QUERIES, "hypothesis": PASSAGES, "label": [0, 1, 0, 1, 1]}
    assert prepare(KIND, rows).fitted.columns.form == "scores"


def test_columns_that_are_set_are_taken(prepare: Make) -> None:
    rows = {"query": QUERIES, "positive": PASSAGES, "negative": NEGATIVES, "score": [1.0] * 5}
    fields = {"anchor": "positive", "positive": "query", "negatives": ["-"], "score": "-"}
    columns = prepare(KIND, rows, **fields).fitted.columns
    assert (columns.anchor, columns.positive) == ("positive", "query")
    assert columns.form == "pairs"


def test_three_columns_of_texts_without_usual_names_are_asked_about(prepare: Make) -> None:
    with pytest.raises(DataError, match=r"There is a, b, c with texts\. Set task\.anchor"):
        prepare(KIND, {"a": QUERIES, "b": PASSAGES, "c": NEGATIVES})


@pytest.mark.parametrize(
    ("scores", "low", "high", "cosines"),
    [
        ([0, 0.5, 1, 0.25, 0.75], 0, 1, [0, 0.5, 1, 0.25, 0.75]),
        ([0, 2.5, 5, 1, 4], 0, 5, [0, 0.5, 1, 0.2, 0.8]),
        ([-1, 0.5, 1, 0, 0.25], -1, 1, [-1, 0.5, 1, 0, 0.25]),
        (["1", "4", "7", "9", "10"], 0, 10, [0.1, 0.4, 0.7, 0.9, 1.0]),
    ],
)  # fmt: skip
def test_the_scale_of_scores_is_found_and_noted(
    prepare: Make, scores: list[Any], low: float, high: float, cosines: list[float]
) -> None:
    rows = {"sentence1": QUERIES, "sentence2": PASSAGES, "score": scores}
    prepared = prepare(KIND, rows)
    assert (prepared.fitted.scale.low, prepared.fitted.scale.high) == (low, high)
    assert prepared.encoded().targets["scores"].tolist() == pytest.approx(cosines)
    facts = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted).facts
    assert facts["scores"].startswith(f"{low} to {high}")
    assert ("learned as a cosine" in facts["scores"]) == (high > 1)


def test_rows_that_cannot_be_learned_are_counted(prepare: Make) -> None:
    rows = {
        "query": [*QUERIES, "", "same", "x"],
        "positive": [*PASSAGES, "y", "same", "z"],
        "negative": [*NEGATIVES, "n", "n", "z"],
    }
    prepared = prepare(KIND, rows)
    assert prepared.raw.train["query"].to_pylist() == QUERIES
    assert {skip.reason: skip.count for skip in prepared.raw.skips} == {
        "query is empty": 1,
        "query and positive are the same text": 1,
        "negative is the same text as the anchor or the positive": 1,
    }


def test_scores_outside_the_scale_or_without_a_number_are_counted(prepare: Make) -> None:
    scores = ["0.5", "1.5", "high", "0", "1"]
    rows = {"sentence1": QUERIES, "sentence2": PASSAGES, "score": scores}
    prepared = prepare(KIND, rows, score_max=1.0)
    assert prepared.raw.train.num_rows == 3
    assert {skip.reason for skip in prepared.raw.skips} == {
        "score is outside 0 to 1",
        "score is not a number",
    }


def test_one_row_has_nothing_to_be_compared_with(prepare: Make) -> None:
    with pytest.raises(DataError, match="one training row"):
        prepare(KIND, {"query": QUERIES[:1], "positive": PASSAGES[:1]})


def test_repeated_positives_are_noted(prepare: Make) -> None:
    rows = {"query": QUERIES, "positive": [*PASSAGES[:4], PASSAGES[0]]}
    prepared = prepare(KIND, rows)
    notes = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted).notes
    assert [note.rows for note in notes if "not taken for negatives" in note.why] == [1]


# Losses.


def expected_in_batch(anchors: Any, columns: list[Any], temperature: float) -> float:
    """Mean of −ln softmax of the positive among all passages, by numpy."""
    unit = anchors / np.linalg.norm(anchors, axis=1, keepdims=True)
    others = np.concatenate(columns)
    others = others / np.linalg.norm(others, axis=1, keepdims=True)
    scores = unit @ others.T / temperature
    logs = np.log(np.exp(scores).sum(1))
    return float((logs - scores[np.arange(len(unit)), np.arange(len(unit))]).mean())


def test_in_batch_negatives_are_all_other_passages() -> None:
    anchors, *passages = (vectors(6, 4, seed=seed) for seed in range(3))
    loss = InBatchNegatives(0.1, symmetric=False)(anchors, passages, keys(6, 2))
    arrays = [part.numpy() for part in passages]
    assert loss.item() == pytest.approx(expected_in_batch(anchors.numpy(), arrays, 0.1))


def test_both_directions_are_averaged() -> None:
    anchors, passages = vectors(6, 4), vectors(6, 4, seed=1)
    loss = InBatchNegatives(0.1, symmetric=True)(anchors, [passages], keys(6))
    there = expected_in_batch(anchors.numpy(), [passages.numpy()], 0.1)
    back = expected_in_batch(passages.numpy(), [anchors.numpy()], 0.1)
    assert loss.item() == pytest.approx((there + back) / 2)


@pytest.mark.parametrize(
    ("anchor_keys", "passage_keys"),
    [
        ([0, 1, 2, 3], [10, 11, 12, 10]),  # the last row has the positive of the first
        ([0, 1, 2, 0], [10, 11, 12, 13]),  # the last row has the anchor of the first
    ],
)  # fmt: skip
@pytest.mark.parametrize("symmetric", [False, True])
def test_equal_texts_are_not_negatives(
    anchor_keys: list[int], passage_keys: list[int], symmetric: bool
) -> None:
    anchors, passages = vectors(4, 3), vectors(4, 3, seed=1)
    told = TextKeys(torch.tensor(anchor_keys), torch.tensor(passage_keys)[:, None])
    found = InBatchNegatives(0.5, symmetric)(anchors, [passages], told)
    scores = functional.normalize(anchors) @ functional.normalize(passages).T / 0.5
    scores[0, 3] = scores[3, 0] = -torch.inf
    expected = functional.cross_entropy(scores, torch.arange(4))
    if symmetric:
        expected = (expected + functional.cross_entropy(scores.T, torch.arange(4))) / 2
    assert found.item() == pytest.approx(expected.item())


def test_equal_texts_of_rows_have_equal_keys(prepare: Make) -> None:
    rows = {"query": [*QUERIES[:4], QUERIES[0]], "positive": [*PASSAGES[:4], PASSAGES[1]]}
    targets = prepare(KIND, rows).encoded().targets
    anchors, passages = targets["anchor_keys"].tolist(), targets["passage_keys"][:, 0].tolist()
    assert [anchors.index(key) for key in anchors] == [0, 1, 2, 3, 0]
    assert [passages.index(key) for key in passages] == [0, 1, 2, 3, 1]
    assert not set(anchors) & set(passages)


def test_losses_of_scores() -> None:
    one, other = vectors(5, 3), vectors(5, 3, seed=1)
    targets = torch.tensor([0.1, 0.9, 0.5, 0.5, 0.3], dtype=torch.float64)
    cosines = functional.cosine_similarity(one, other)
    assert cosine_loss(one, other, targets).item() == pytest.approx(
        np.mean((cosines.numpy() - targets.numpy()) ** 2)
    )
    wrong = [
        np.exp(20 * (cosines[j] - cosines[i]))
        for i in range(5)
        for j in range(5)
        if targets[i] > targets[j]
    ]
    assert cosent_loss(one, other, targets).item() == pytest.approx(np.log(1 + np.sum(wrong)))


def test_matryoshka_adds_the_losses_of_cut_vectors() -> None:
    one, other = vectors(5, 8), vectors(5, 8, seed=1)
    loss = InBatchNegatives(0.1, symmetric=False)
    total = matryoshka(lambda columns: loss(columns[0], columns[1:], keys(5)), (8, 3), (1.0, 0.5))
    expected = sum(
        share * expected_in_batch(one[:, :size].numpy(), [other[:, :size].numpy()], 0.1)
        for size, share in ((8, 1.0), (3, 0.5))
    )
    assert total([one, other]).item() == pytest.approx(expected)


def test_losses_are_those_of_sentence_transformers() -> None:
    theirs = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    none: Any = nn.Module()
    anchors, *passages = (vectors(6, 4, seed=seed) for seed in range(3))
    empty = torch.zeros(0)

    def value(loss: Any, *columns: Any, targets: Any = empty) -> float:
        return float(loss.compute_loss_from_embeddings(list(columns), targets))

    plain = theirs.MultipleNegativesRankingLoss(none, scale=20.0)
    ours = InBatchNegatives(0.05, symmetric=False)(anchors, passages, keys(6, 2))
    assert ours.item() == pytest.approx(value(plain, anchors, *passages))
    both = theirs.MultipleNegativesRankingLoss(
        none, scale=20.0, directions=("query_to_doc", "doc_to_query"),
        partition_mode="per_direction",
    )  # fmt: skip
    ours = InBatchNegatives(0.05, symmetric=True)(anchors, passages, keys(6, 2))
    assert ours.item() == pytest.approx(value(both, anchors, *passages))
    scores = torch.linspace(0, 1, 6, dtype=torch.float64)
    ours = cosent_loss(anchors, passages[0], scores)
    assert ours.item() == pytest.approx(
        value(theirs.CoSENTLoss(none), anchors, passages[0], targets=scores)
    )


def test_correlations_share_the_ranks_of_equal_values() -> None:
    values, truth = np.array([0.1, 0.4, 0.4, 0.9, 0.2]), np.array([1.0, 2.0, 3.0, 3.0, 1.0])
    ranks, others = np.array([1, 3.5, 3.5, 5, 2]), np.array([1.5, 3, 4.5, 4.5, 1.5])
    found = correlations(values, truth)
    assert found["spearman"] == pytest.approx(np.corrcoef(ranks, others)[0, 1])
    assert found["pearson"] == pytest.approx(np.corrcoef(values, truth)[0, 1])


# Cached gradients.


def test_cached_gradients_equal_those_of_the_whole_batch(prepare: Make) -> None:
    rows = {"query": QUERIES, "positive": PASSAGES, "negative": NEGATIVES}
    options = {"symmetric": True, "dimensions": [8, 4], "temperature": 0.2}
    prepared = prepare(KIND, rows, model={"dropout": 0.0}, **options)
    batch, network = prepared.encoded(), prepared.network().train()

    def gradients(mini: int, factor: float) -> tuple[float, dict[str, torch.Tensor]]:
        network.zero_grad()
        section = prepared.task.section.model_copy(update={"mini_batch_size": mini})
        prepared.task.section = section
        loss = prepared.task.loss(network, batch)
        torch.autograd.backward(loss * factor)  # as the trainer weighs accumulated batches
        found = {
            name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None
        }
        return loss.item(), found

    whole, cached = gradients(0, 0.5), gradients(2, 0.5)
    assert cached[0] == pytest.approx(whole[0], abs=1e-5)
    assert cached[1].keys() == whole[1].keys()
    for name, gradient in whole[1].items():
        torch.testing.assert_close(cached[1][name], gradient, rtol=1e-5, atol=1e-5)


def test_both_passes_have_the_same_dropout() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)).double()
    inputs = {"input_ids": vectors(6, 4)}
    seen: list[torch.Tensor] = []

    def embed(some: Any) -> torch.Tensor:
        seen.append(network(some["input_ids"]))
        return seen[-1]

    loss = cached_loss(embed, [inputs], lambda columns: (columns[0] ** 2).sum(), 2)
    before = torch.get_rng_state()
    torch.autograd.backward(loss)
    assert torch.equal(before, torch.get_rng_state())
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    torch.testing.assert_close(first, second)
    # The gradient of Σ y² through the same masks, 2 y ∂y, by one pass over what was seen.
    expected = (2 * first * (first != 0) * 2).T @ inputs["input_ids"]
    torch.testing.assert_close(network[0].weight.grad, expected)


def test_scores_of_all_splits_are_read_in_the_format_of_the_training_rows(prepare: Make) -> None:
    scores = ["1.200,5", "2.100,0", "4.000,0", "900,5", "0"]
    train = {"query": QUERIES, "passage": PASSAGES, "score": scores}
    held_out = {"query": QUERIES, "passage": PASSAGES, "score": ["1.000"] * 5}
    prepared = prepare(KIND, train, validation=held_out)
    batch = prepared.encoded(prepared.raw.splits["validation"])
    assert batch.targets["scores"].tolist() == [0.25] * 5
