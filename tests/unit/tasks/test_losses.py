"""The loss of one batch is that of the textbook, computed here from the network's outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray

Make = Callable[..., Any]
Floats = NDArray[np.float64]

GREY = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SIZES = [0.5, 2.0, 1.0, 4.0, 3.0]
TEXTS = ["a good film", "bad", "good play", "a bad play", "good good film"]
UNEVEN = ["b", "a", "c", "b", "b"]
"""Classes of the five rows: one a, three b, one c."""


def close_to(loss: float) -> Any:
    """Float32 sums in another order differ by less than this."""
    return pytest.approx(loss, rel=1e-5, abs=1e-7)


def images() -> list[dict[str, Any]]:
    """Five images of 4 × 4 grey pixels in the PGM format."""
    random = np.random.default_rng(0)
    pixels = [bytes(random.integers(0, 256, 16, np.uint8)) for _ in range(5)]
    return [{"bytes": b"P5 4 4 255\n" + image, "path": None} for image in pixels]


def rows_of(kind: str, label: list[Any]) -> dict[str, Any] | pa.Table:
    """Five rows of the kind of task, with these labels."""
    if kind == "image_classification":
        return pa.table({"image": pa.array(images(), GREY), "label": label})
    own = {"text": TEXTS} if kind == "text_classification" else {"size": SIZES}
    return own | {"label": label}


def outputs(network: Any, batch: Any) -> Floats:
    """Values of a network, or the logits of a transformer."""
    with torch.no_grad():
        text = "config" in vars(network)
        values = network(**batch.inputs).logits if text else network(batch.inputs)
    doubled: Floats = values.double().numpy()
    return doubled


def log_softmax(logits: Floats) -> Floats:
    """x − ln Σ eˣ, over the last axis."""
    logs: Floats = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return logs


def cross_entropy(logits: Floats, targets: NDArray[np.int64], smoothing: float = 0.0) -> Floats:
    """−(1 − ε) ln p(target) − ε/K Σ ln p(class) of each row of [rows, classes] logits."""
    logs = log_softmax(logits)
    own = logs[np.arange(len(targets)), targets]
    nats: Floats = -(1 - smoothing) * own - smoothing * logs.mean(1)
    return nats


@pytest.mark.parametrize(
    "kind", ["tabular_classification", "image_classification", "text_classification"]
)
@pytest.mark.parametrize("weights", ["none", "balanced"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_of_classes(prepare: Make, kind: str, weights: str, smoothing: float) -> None:
    options = {"class_weights": weights, "label_smoothing": smoothing}
    prepared = prepare(kind, rows_of(kind, UNEVEN), **options)
    batch, network = prepared.encoded(prepared.raw.train.slice(0, 4)), prepared.network()
    targets = np.array([1, 0, 2, 1])
    assert batch.targets.tolist() == targets.tolist()
    # A class with n of N training rows, of K classes, weighs N / (K n). The mean is over rows, not
    # over weights, so that the sum over small batches is that of a large one.
    by_class = np.array([5 / 3, 5 / 9, 5 / 3]) if weights == "balanced" else np.ones(3)
    losses = cross_entropy(outputs(network, batch), targets, smoothing)
    expected = (losses * by_class[targets]).mean()
    assert prepared.loss(network, batch) == close_to(expected)


@pytest.mark.parametrize("kind", ["image_classification", "text_classification"])
def test_binary_cross_entropy_of_several_labels(prepare: Make, kind: str) -> None:
    labels = [["a"], [], ["a", "b"], ["c"], ["b"]]
    # Weights are for one class a row; with several labels they are not used.
    prepared = prepare(kind, rows_of(kind, labels), class_weights="balanced")
    batch, network = prepared.encoded(), prepared.network()
    truth = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 0]])
    chances = 1 / (1 + np.exp(-outputs(network, batch)))
    # −y ln p − (1 − y) ln(1 − p), mean over rows and classes.
    expected = -(truth * np.log(chances) + (1 - truth) * np.log(1 - chances)).mean()
    assert prepared.loss(network, batch) == close_to(expected)


NUMBER_LOSSES: dict[str, Callable[[Floats], Floats]] = {
    "mse": np.square,
    "mae": np.abs,
    # A parabola up to one deviation, then a line that continues it.
    "huber": lambda error: np.where(np.abs(error) <= 1, error**2 / 2, np.abs(error) - 1 / 2),
}


@pytest.mark.parametrize("name", NUMBER_LOSSES)
def test_losses_of_regression_in_deviations_of_the_target(prepare: Make, name: str) -> None:
    prices = [1.0, 2.0, 3.0, 4.0, 40.0]
    prepared = prepare("tabular_regression", rows_of("tabular_regression", prices), loss=name)
    batch, network = prepared.encoded(), prepared.network()
    targets = (np.array(prices) - np.mean(prices)) / np.std(prices)
    errors = outputs(network, batch)[:, 0] - targets
    assert (np.abs(errors) > 1).any()
    assert (np.abs(errors) < 1).any()
    expected = NUMBER_LOSSES[name](errors).mean()
    assert prepared.loss(network, batch) == close_to(expected)


@pytest.mark.parametrize("name", NUMBER_LOSSES)
def test_losses_of_forecasts_are_means_over_windows_steps_and_targets(
    prepare: Make, name: str
) -> None:
    rows = {"load": [0.0, 1, 0, 2, 0, 9, 0, 1, 5, 3], "wind": [3.0, 1, 4, 1, 5, 9, 2, 6, 5, 3]}
    options = {"targets": ["load", "wind"], "window": 4, "horizon": 2, "loss": name}
    prepared = prepare("forecasting", rows, **options)
    batch, network = prepared.encoded(), prepared.network()
    scaled = np.stack([(np.array(y) - np.mean(y)) / np.std(y) for y in rows.values()], 1)
    truth = np.stack([scaled[begin + 4 : begin + 6] for begin in range(5)])
    with torch.no_grad():
        forecast = network(batch.inputs["past"], batch.inputs["future"]).double().numpy()
    errors = forecast - truth
    assert (np.abs(errors) > 1).any()
    assert (np.abs(errors) < 1).any()
    expected = NUMBER_LOSSES[name](errors).mean()
    assert prepared.loss(network, batch) == close_to(expected)


def test_cross_entropy_of_tags_counts_the_first_token_of_each_known_tag(prepare: Make) -> None:
    rows = {"tokens": [["Ann", "saw", "Rome"], ["Rome"]], "tags": [["P", "O", "L"], ["L"]]}
    prepared = prepare("token_classification", rows)
    # "Anne" has two tokens; the tag X is not in the training rows. Tags are O, L, P.
    batch = prepared.encoded(
        {"tokens": [["Anne", "saw", "Rome"], ["Rome"]], "tags": [["P", "O", "X"], ["L"]]}
    )
    network = prepared.network()
    logits = outputs(network, batch)
    # [CLS] ann ##e saw rome [SEP], and [CLS] rome [SEP] padded to the same length.
    assert logits.shape == (2, 6, 3)
    counted = np.stack([logits[0, 1], logits[0, 3], logits[1, 1]])
    expected = cross_entropy(counted, np.array([2, 0, 1])).mean()
    assert prepared.loss(network, batch) == close_to(expected)


def test_tags_that_all_are_unknown_have_no_loss(prepare: Make) -> None:
    prepared = prepare("token_classification", {"tokens": [["a", "b"]], "tags": [["P", "O"]]})
    batch = prepared.encoded({"tokens": [["a"]], "tags": [["X"]]})
    assert prepared.loss(prepared.network(), batch) == 0


def test_cross_entropy_of_first_and_last_token_of_an_answer(prepare: Make) -> None:
    rows = {
        "question": ["who left", "where to"], "context": ["ann lee left rome"] * 2,
        "answers": [{"text": ["ann lee"], "answer_start": [0]},
                    {"text": [], "answer_start": []}],
    }  # fmt: skip
    prepared = prepare("question_answering", rows)
    batch, network = prepared.encoded(), prepared.network()
    with torch.no_grad():
        output = network(**batch.inputs)
    # [CLS] who left [SEP] ann lee …; without an answer, [CLS] is both first and last.
    first = cross_entropy(output.start_logits.double().numpy(), np.array([4, 0]))
    last = cross_entropy(output.end_logits.double().numpy(), np.array([5, 0]))
    expected = (first.mean() + last.mean()) / 2
    assert prepared.loss(network, batch) == close_to(expected)


def test_cross_entropy_of_blocks_is_a_mean_over_all_tokens(prepare: Make) -> None:
    prepared = prepare("causal_lm", {"text": ["abcdef", "ghij"]}, max_length=4)
    batch, network = prepared.encoded(), prepared.network()
    # a b c d | e f END g, each with the token after it.
    targets = np.array(prepared.ids(["b", "c", "d", "e", "f", "<|endoftext|>", "g", "h"]))
    logits = outputs(network, batch).reshape(8, -1)
    expected = cross_entropy(logits, targets).mean()
    assert prepared.loss(network, batch) == close_to(expected)


def test_cross_entropy_of_answers_is_a_mean_over_what_is_learned(prepare: Make) -> None:
    prepared = prepare("causal_lm", {"prompt": ["q ", "r? "], "completion": ["ab", "c"]})
    batch, network = prepared.encoded(), prepared.network()
    logits = outputs(network, batch)
    # "q ab" and "r? c" have 4 tokens; what is before the answer and its blank is not learned.
    learned = np.concatenate([logits[0, 0:4], logits[1, 1:4]])
    blank, end = "\u0120", "<|endoftext|>"
    targets = np.array(prepared.ids([blank, "a", "b", end, blank, "c", end]))
    expected = cross_entropy(learned, targets).mean()
    assert prepared.loss(network, batch) == close_to(expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_of_translations_is_a_mean_over_the_tokens_of_targets(
    prepare: Make, smoothing: float
) -> None:
    rows = {"source": ["ox", "cat"], "target": ["uy", "q"]}
    prepared = prepare("seq2seq", rows, label_smoothing=smoothing)
    batch, network = prepared.encoded(), prepared.network()
    logits = outputs(network, batch)
    assert logits.shape[:2] == (2, 3)
    # u y END and q END; the padding behind the shorter one is not learned.
    learned = np.concatenate([logits[0], logits[1, :2]])
    targets = np.array(prepared.ids(["u", "y", "<|endoftext|>", "q", "<|endoftext|>"]))
    expected = cross_entropy(learned, targets, smoothing).mean()
    assert prepared.loss(network, batch) == close_to(expected)
