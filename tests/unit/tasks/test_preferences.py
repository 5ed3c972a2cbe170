"""Preference tuning, from rows to losses and rewards, which are computed here by the papers."""

from __future__ import annotations

import json
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer

from engine.config.tasks.preference import PreferenceConfig
from engine.data.raw import TEST, TRAIN, Skip
from engine.errors import DataError
from engine.metrics.text.preference import share_of_wins
from engine.metrics.text.preference_losses import Likelihoods, losses
from engine.models.language import token_losses
from engine.runs.events import Log
from engine.text.chat.templates import KNOWN

Make = Callable[..., Any]
Floats = NDArray[np.float64]
KIND = "preference"
PAIRS = {
    "prompt": ["sky? ", "an owl? ", "q "],
    "chosen": ["blue", "gray", "a"],
    "rejected": ["no", "red or so", "bbb"],
}
LABELLED = {
    "prompt": ["sky? ", "owl? ", "q "],
    "completion": ["blue", "red or", "a"],
    "label": [True, False, True],
}


def turns(*texts: str) -> list[dict[str, str]]:
    """A conversation in which user and assistant take turns."""
    return [
        {"role": ("user", "assistant")[number % 2], "content": text}
        for number, text in enumerate(texts)
    ]


def summed(network: Any, inputs: dict[str, torch.Tensor], labels: torch.Tensor) -> Floats:
    """Log-probability of the labels of each row, by numpy."""
    with torch.no_grad():
        logits = network(**inputs).logits.double().numpy()
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    found = [
        sum(logs[row, place, token] for place, token in enumerate(tokens) if token >= 0)
        for row, tokens in enumerate(labels.tolist())
    ]
    return np.array(found)


def sides(network: Any, batch: Any) -> tuple[Floats, Floats]:
    """Log-probabilities of the first and of the second answers."""
    targets = batch.targets
    return (
        summed(network, batch.inputs, targets["labels"]),
        summed(network, targets["second"], targets["second_labels"]),
    )


def lengths(batch: Any) -> tuple[Floats, Floats]:
    """Number of learned tokens of the first and of the second answers."""
    first, second = batch.targets["labels"], batch.targets["second_labels"]
    return (first >= 0).sum(1).double().numpy(), (second >= 0).sum(1).double().numpy()


def with_reference(prepared: Any) -> tuple[Any, Any, tuple[Floats, Floats]]:
    """A network, a batch, and the log-probabilities by another network, which is in the batch."""
    network, other, batch = prepared.network(), prepared.network(seed=1), prepared.encoded()
    reference = sides(other, batch)
    batch.targets["reference"] = torch.tensor(np.stack(reference, 1), dtype=torch.float32)
    return network, batch, reference


def log_sigmoid(values: Floats) -> Floats:
    """ln 1 / (1 + e⁻ˣ)."""
    return -np.log1p(np.exp(-values))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_dpo_is_the_log_sigmoid_of_the_difference_of_log_ratios(
    prepare: Make, smoothing: float
) -> None:
    prepared = prepare(KIND, PAIRS, beta=0.3, label_smoothing=smoothing)
    network, batch, reference = with_reference(prepared)
    good, bad = sides(network, batch)
    margin = 0.3 * ((good - reference[0]) - (bad - reference[1]))
    expected = -(1 - smoothing) * log_sigmoid(margin) - smoothing * log_sigmoid(-margin)
    assert prepared.loss(network, batch) == pytest.approx(expected.mean(), rel=1e-5)


def test_ipo_is_the_squared_distance_of_mean_log_ratios_from_half_of_one_by_beta(
    prepare: Make,
) -> None:
    prepared = prepare(KIND, PAIRS, loss="ipo", beta=0.4)
    network, batch, reference = with_reference(prepared)
    (good, bad), (long, longer) = sides(network, batch), lengths(batch)
    difference = (good - reference[0]) / long - (bad - reference[1]) / longer
    expected = (difference - 1 / (2 * 0.4)) ** 2
    assert prepared.loss(network, batch) == pytest.approx(expected.mean(), rel=1e-5)


def test_simpo_compares_mean_log_probabilities_with_a_margin(prepare: Make) -> None:
    prepared = prepare(KIND, PAIRS, loss="simpo", gamma=0.7)
    network, batch = prepared.network(), prepared.encoded()
    (good, bad), (long, longer) = sides(network, batch), lengths(batch)
    expected = -log_sigmoid(2.0 * (good / long - bad / longer) - 0.7)
    assert prepared.loss(network, batch) == pytest.approx(expected.mean(), rel=1e-5)


def test_orpo_adds_the_log_odds_ratio_to_the_loss_of_the_chosen_text(prepare: Make) -> None:
    prepared = prepare(KIND, PAIRS, loss="orpo", beta=0.5)
    network, batch = prepared.network(), prepared.encoded()
    (good, bad), (long, longer) = sides(network, batch), lengths(batch)
    odds = [np.exp(mean) / (1 - np.exp(mean)) for mean in (good / long, bad / longer)]
    texts = [
        prepared.task.pipeline.prompts(prepared.fitted).marked(
            {"prompt": prompt, "completion": chosen}
        )[0].text
        for prompt, chosen in zip(PAIRS["prompt"], PAIRS["chosen"], strict=True)
    ]  # fmt: skip
    tokenizer = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer)
    nats, count = 0.0, 0
    for text in texts:
        ids = torch.tensor([tokenizer(text)["input_ids"]])
        following = torch.cat([ids[:, 1:], torch.full((1, 1), -100)], 1)
        nats -= summed(network, {"input_ids": ids}, following).sum()
        count += ids.shape[1] - 1
    expected = nats / count - 0.5 * log_sigmoid(np.log(odds[0] / odds[1])).mean()
    assert prepared.loss(network, batch) == pytest.approx(expected, rel=1e-5)


def test_kto_weighs_good_and_bad_answers_against_those_to_other_prompts(prepare: Make) -> None:
    weights = {"desirable_weight": 1.5, "undesirable_weight": 0.5}
    prepared = prepare(KIND, LABELLED, loss="kto", beta=0.2, **weights)
    network, batch, reference = with_reference(prepared)
    first, mixed = sides(network, batch)
    against = max(0.0, (mixed - reference[1]).mean())
    ratio = first - reference[0]
    good = np.array(batch.targets["desirable"])
    gain = np.where(good, ratio - against, against - ratio)
    expected = np.where(good, 1.5, 0.5) * (1 - np.exp(log_sigmoid(0.2 * gain)))
    assert prepared.loss(network, batch) == pytest.approx(expected.mean(), rel=1e-5)


@pytest.mark.parametrize("desirable", [[True, False, True], [True] * 3, [False] * 3])
@pytest.mark.parametrize("shift", [0.0, 2.0])
def test_the_gradient_of_kto_is_that_of_the_weighted_sigmoids_alone(
    desirable: list[bool], shift: float
) -> None:
    """The answers to other prompts have none; the same numbers as TRL 1.16's, to 5e-7."""
    answers = torch.tensor([[-4.0, -7.0], [-9.5, -4.0], [-3.0, -9.5]], requires_grad=True)
    reference = torch.tensor([[-5.0, -8.0], [-8.0, -5.0], [-6.0, -8.0]]) + shift
    good, ones = torch.tensor(desirable), torch.ones(3, 2)
    section = PreferenceConfig(
        kind=KIND, loss="kto", beta=0.4, desirable_weight=1.5, undesirable_weight=0.7
    )
    given = Likelihoods(answers, reference, ones, ones[:, 0], ones[:, 0], good)
    value = losses(given, section).mean()
    value.backward()
    ratios = (answers.detach() - reference).double().numpy()
    signs = np.where(desirable, 1.0, -1.0)
    gain = np.exp(log_sigmoid(0.4 * signs * (ratios[:, 0] - max(0.0, ratios[:, 1].mean()))))
    weights = np.where(desirable, 1.5, 0.7)
    assert float(value) == pytest.approx((weights * (1 - gain)).mean(), rel=1e-6)
    assert answers.grad is not None
    expected = -weights * 0.4 * signs * gain * (1 - gain) / 3
    assert answers.grad[:, 0].tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert not answers.grad[:, 1].any()


def test_kto_holds_each_answer_against_the_one_before_it_behind_the_same_prompt(
    prepare: Make,
) -> None:
    batch = prepare(KIND, LABELLED, loss="kto").encoded()
    ids, second = batch.inputs["input_ids"], batch.targets["second"]["input_ids"]
    labels = batch.targets["second_labels"]
    mask = batch.targets["second"]["attention_mask"]
    prompt = len("owl?")
    assert torch.equal(second[1, :prompt], ids[1, :prompt])
    learned = labels[1][labels[1] >= 0]
    other = batch.targets["labels"][0]
    assert torch.equal(learned, other[other >= 0])
    assert int(mask[1].sum()) == prompt + len(" blue")


@pytest.mark.parametrize(("loss", "start"), [("dpo", np.log(2)), ("ipo", 25.0), ("kto", 0.5)])
def test_a_network_that_is_its_own_reference_has_the_loss_of_zero_rewards(
    prepare: Make, loss: str, start: float
) -> None:
    prepared = prepare(KIND, PAIRS, loss=loss)
    assert prepared.loss(prepared.network(), prepared.encoded()) == pytest.approx(start)


def test_losses_in_chunks_of_the_vocabulary_have_the_same_gradients(
    prepare: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = prepare(KIND, PAIRS)
    found = []
    for size in (token_losses.CHUNK_BYTES, 64):
        monkeypatch.setattr(token_losses, "CHUNK_BYTES", size)
        network, batch, _ = with_reference(prepared)
        loss = prepared.task.loss(network, batch)
        loss.backward()
        found.append([loss, *(part.grad for part in network.parameters())])
    for whole, parts in zip(*found, strict=True):
        torch.testing.assert_close(whole, parts)


def theirs(name: str, loss: str, **values: Any) -> Any:
    """A trainer of TRL without all that its losses do not need."""
    module = pytest.importorskip(name)
    kind = next(getattr(module, each) for each in dir(module) if each.lower() == f"{loss}trainer")
    made = kind.__new__(kind)
    made.accelerator = types.SimpleNamespace(device="cpu")
    for key, value in values.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize("loss", ["orpo", "simpo"])
def test_losses_without_a_reference_equal_those_of_trl(prepare: Make, loss: str) -> None:
    prepared = prepare(KIND, PAIRS, loss=loss, beta=0.5, gamma=0.7)
    network, batch = prepared.network(), prepared.encoded()
    (good, bad), (long, longer) = sides(network, batch), lengths(batch)
    means = [torch.tensor(side) for side in (good / long, bad / longer)]
    if loss == "simpo":
        name, values = "trl.experimental.cpo.cpo_trainer", {"loss_type": "simpo", "alpha": 0.0}
        trainer = theirs(name, "cpo", beta=0.5, simpo_gamma=0.7, label_smoothing=0.0, **values)
        expected = trainer.cpo_loss(*means)[0].mean()
    else:
        trainer = theirs("trl.experimental.orpo.orpo_trainer", "orpo", beta=0.5)
        inputs, labels = batch.inputs, batch.inputs["input_ids"].clone()
        labels = torch.where(inputs["attention_mask"] == 1, labels, -100)
        following = torch.cat([labels[:, 1:], torch.full_like(labels[:, :1], -100)], 1)
        ends = batch.targets["labels"] == 0  # TRL's inputs have the mark of the end
        following = torch.where(ends, 0, following)
        nats = -summed(network, inputs, following).sum() / int((following >= 0).sum())
        expected = nats - trainer.odds_ratio_loss(*means)[0].mean()
    assert prepared.loss(network, batch) == pytest.approx(float(expected), rel=1e-5)


def test_conversations_may_share_their_prompt(prepare: Make) -> None:
    shared = {
        "chosen": [turns("sky?", "blue"), turns("a?", "b", "c?", "yes")],
        "rejected": [turns("sky?", "no"), turns("a?", "b", "c?", "no")],
    }
    apart = {
        "prompt": [turns("sky?"), turns("a?", "b", "c?")],
        "chosen": [turns("", "blue")[1:], turns("", "yes")[1:]],
        "rejected": [turns("", "no")[1:], turns("", "no")[1:]],
    }
    batches = [prepare(KIND, rows, max_length=200).encoded() for rows in (shared, apart)]
    for name in ("labels", "second_labels"):
        assert torch.equal(*(batch.targets[name] for batch in batches))


def transcript(*texts: str) -> str:
    """A conversation as a text, as Anthropic's data have it."""
    sides = ("\n\nHuman: ", "\n\nAssistant: ")
    return "".join(sides[number % 2] + text for number, text in enumerate(texts))


@pytest.mark.parametrize("prompt", ["in the answers", "beside them", "in both"])
def test_transcripts_are_read_as_turns(prepare: Make, prompt: str) -> None:
    asked, whole = ("sky?", "well", "so?"), prompt != "beside them"
    rows: dict[str, list[Any]] = {
        name: [transcript(*asked, answer) if whole else f" {answer}"] * 2
        for name, answer in (("chosen", "blue"), ("rejected", "no"))
    }
    if prompt != "in the answers":
        rows["prompt"] = [transcript(*asked, "").rstrip()] * 2
    talks = {
        "prompt": [turns(*asked)] * 2,
        "chosen": [turns("", "blue")[1:]] * 2,
        "rejected": [turns("", "no")[1:]] * 2,
    }
    found, expected = (
        prepare(KIND, given, chat_template="chatml", max_length=200).encoded()
        for given in (rows, talks)
    )
    for name in ("labels", "second_labels"):
        assert torch.equal(found.targets[name], expected.targets[name])


def test_each_row_has_the_system_prompt_that_its_model_is_served_with(prepare: Make) -> None:
    said = [{"role": "system", "content": "S"}, *turns("sky?")]
    rows = {
        "prompt": [said, turns("owl?")], "system": ["beside", "beside"],
        "chosen": [turns("", "blue")[1:]] * 2, "rejected": [turns("", "no")[1:]] * 2,
    }  # fmt: skip
    prepared = prepare(KIND, rows, max_length=200)
    prompts = prepared.task.pipeline.system_prompts(prepared.raw.train, prepared.fitted)
    assert list(prompts) == ["S", "beside"]


def test_transcripts_with_labels_have_their_prompts(prepare: Make) -> None:
    rows = {"completion": [transcript("sky?", "blue"), transcript("sky?", "no")],
            "label": [True, False]}  # fmt: skip
    prepared = prepare(KIND, rows, loss="kto", max_length=200)
    [note] = prepared.raw.notes
    assert (note.column, note.read_as) == ("completion", "conversations")
    assert len(prepared.encoded().targets["labels"]) == 2


def test_texts_may_share_their_prompt(prepare: Make) -> None:
    begun = "\n\nHuman: sky?\n\nAssistant:"
    prepared = prepare(KIND, {"chosen": [f"{begun} blue", "one two"],
                              "rejected": [f"{begun} black", "one three"]})  # fmt: skip
    tokenizer = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer)
    batch = prepared.encoded()
    learned = [[token for token in row if token >= 0] for row in batch.targets["labels"].tolist()]
    assert tokenizer.batch_decode(learned) == [" blue<|endoftext|>", " two<|endoftext|>"]


def test_rows_that_cannot_be_compared_are_counted(prepare: Make) -> None:
    rows = {
        "prompt": ["a? ", "b? ", "c? ", "", "e? "],
        "chosen": ["x", "same", "", "y", "z"],
        "rejected": ["y", "same ", "z", "x", None],
    }
    skips = prepare(KIND, rows).raw.skips
    assert skips == (
        Skip("chosen and rejected are equal", 1, "train row 2"),
        Skip("chosen is empty", 1, "train row 3"),
        Skip("prompt is empty", 1, "train row 4"),
        Skip("rejected is empty", 1, "train row 5"),
    )


def test_conversations_that_end_with_the_user_or_begin_differently_are_counted(
    prepare: Make,
) -> None:
    rows = {
        "chosen": [turns("a?", "b"), turns("a?", "b", "c?"), turns("a?", "b"), turns("a?", "")],
        "rejected": [turns("a?", "c"), turns("a?", "c"), turns("x?", "c"), turns("a?", "c")],
    }
    assert prepare(KIND, rows).raw.skips == (
        Skip("chosen ends with a turn of the user", 1, "train row 2"),
        Skip("chosen and rejected do not begin with the same prompt", 1, "train row 3"),
        Skip("chosen: an answer is empty", 1, "train row 4"),
    )


def test_labels_that_are_missing_or_no_truth_value_are_counted(prepare: Make) -> None:
    rows = {
        "prompt": ["a? "] * 5,
        "completion": ["x", "y", "z", "u", "v"],
        "label": ["true", "", "maybe", "no", "-1"],
    }
    prepared = prepare(KIND, rows, loss="kto")
    assert prepared.raw.skips == (
        Skip("the label is missing", 1, "train row 2"),
        Skip("the label is neither true nor false", 1, "train row 3"),
    )
    assert prepared.encoded().targets["desirable"].tolist() == [True, False, False]


def test_labels_that_are_all_alike_are_refused(pipeline: Make) -> None:
    rows = {"prompt": ["a? ", "b? "], "completion": ["x", "y"], "label": [True, True]}
    with pytest.raises(DataError, match="Every label in label is true"):
        pipeline(KIND, rows, loss="kto").load()


def test_single_answers_are_for_kto_only(pipeline: Make) -> None:
    with pytest.raises(DataError, match="dpo compares two answers") as caught:
        pipeline(KIND, LABELLED).load()
    assert "task.loss to kto" in str(caught.value)


def test_kto_takes_pairs_as_a_good_and_a_bad_answer(prepare: Make) -> None:
    batch = prepare(KIND, PAIRS, loss="kto").encoded()
    assert batch.targets["desirable"].tolist() == [True, False] * 3


def test_kto_holds_pairs_against_answers_to_other_prompts(prepare: Make) -> None:
    """Not against the other answer of the pair, whose log-ratio is that of the preference."""
    batch = prepare(KIND, PAIRS, loss="kto").encoded()
    answers, others = (
        [row[row >= 0].tolist() for row in batch.targets[name]]
        for name in ("labels", "second_labels")
    )
    assert others == [answers[place] for place in (5, 5, 1, 1, 3, 3)]


def test_pairs_with_an_answer_that_would_be_cut_are_left_out_and_counted(prepare: Make) -> None:
    rows = PAIRS | {"rejected": ["no", "x" * 40, "bbb"]}
    prepared = prepare(KIND, rows, max_length=16)
    batch = prepared.encoded()
    assert len(batch.targets["labels"]) == 2
    [said] = [event.message for event in prepared.events if isinstance(event, Log)]
    assert said == (
        "1 row left out (the first is row 2): an answer ends beyond task.max_length (16 tokens)."
    )
    with pytest.raises(DataError, match="No row can be used"):
        prepared.encoded({name: values[1:2] for name, values in rows.items()})


def test_pairs_that_the_chat_template_refuses_are_told_apart_from_long_ones(prepare: Make) -> None:
    refuses = "{% if 'bad' in messages[0]['content'] %}{{ raise_exception('no bad') }}{% endif %}"
    turns = [[{"role": "user", "content": text}] for text in ("q", "bad", "bad too", "q")]
    rows = {"prompt": turns, "chosen": ["a", "a", "a", "x" * 400], "rejected": ["b"] * 4}
    prepared = prepare(KIND, rows, max_length=100)
    tokenizer = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer)
    tokenizer.chat_template = refuses + KNOWN["roles"].text
    batch = prepared.encoded()
    assert len(batch.targets["labels"]) == 1
    assert [event.message for event in prepared.events if isinstance(event, Log)] == [
        "2 rows left out (the first is row 2): the chat template of this model refuses them: "
        "no bad.",
        "1 row left out (the first is row 4): an answer ends beyond task.max_length (100 tokens).",
    ]


def test_special_tokens_in_texts_that_are_compared_are_plain_and_told(prepare: Make) -> None:
    turns = [[{"role": "user", "content": text}] for text in ("q<|endoftext|>", "q")]
    prepared = prepare(KIND, {"prompt": turns, "chosen": ["a"] * 2, "rejected": ["b"] * 2},
                       max_length=100)  # fmt: skip
    batch = prepared.encoded()
    end = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer).eos_token_id
    for ids in (batch.inputs["input_ids"], batch.targets["second"]["input_ids"]):
        assert (ids == end).sum(1).tolist() == [2, 2]  # of the user, and of the answer
    [said] = [event.message for event in prepared.events if isinstance(event, Log)]
    assert said.startswith("1 of 2 samples have special tokens written in their texts (the first")


def test_a_template_by_name_writes_texts_as_turns_and_is_exported(
    prepare: Make, tmp_path: Path
) -> None:
    prepared = prepare(KIND, PAIRS, chat_template="chatml", max_length=200)
    tokenizer = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer)
    ids = prepared.encoded().inputs["input_ids"][0]
    written = tokenizer.decode(ids[: int((ids != tokenizer.pad_token_id).sum())])
    assert written.startswith("<|im_start|>user\nsky?")
    assert written.endswith("<|im_end|>\n<|im_start|>assistant\nblue<|im_end|>")
    prepared.task.files(prepared.fitted).companions(tmp_path)
    exported: Any = AutoTokenizer.from_pretrained(tmp_path)
    assert exported.chat_template == KNOWN["chatml"].text
    facts = prepared.task.pipeline.summarize(prepared.raw, prepared.fitted).facts
    assert facts["chat template"] == "chatml"


def test_conversations_without_a_template_are_exported_with_that_of_training(
    prepare: Make, tmp_path: Path
) -> None:
    asked = [[{"role": "user", "content": text}] for text in ("q", "r")]
    prepared = prepare(KIND, {"prompt": asked, "chosen": ["a"] * 2, "rejected": ["b"] * 2})
    prepared.task.files(prepared.fitted).companions(tmp_path)
    exported: Any = AutoTokenizer.from_pretrained(tmp_path)
    assert exported.chat_template == KNOWN["roles"].text


def test_texts_stay_plain_where_no_template_is_wanted(prepare: Make) -> None:
    prepared = prepare(KIND, PAIRS, chat_template="none")
    assert not prepared.fitted.chat


def test_an_answer_of_just_the_maximum_length_is_kept(prepare: Make) -> None:
    rows = {"prompt": ["q "], "chosen": ["abcdef"], "rejected": ["ab"]}
    # The tokens are q, a blank and six letters; the mark of the end is only foretold.
    assert len(prepare(KIND, rows, max_length=8).encoded().targets["labels"]) == 1
    with pytest.raises(DataError):
        prepare(KIND, rows, max_length=7).encoded()


def test_an_update_has_as_many_pairs_however_long_they_are(prepare: Make) -> None:
    rows = {
        "prompt": ["q "] * 12,
        "chosen": [
            letter * size for letter, size in zip("abcdefghijkl", range(1, 36, 3), strict=True)
        ],
        "rejected": ["z"] * 12,
    }
    prepared = prepare(KIND, rows)
    source = prepared.task.encode(
        prepared.raw.train, prepared.fitted, torch.device("cpu"), prepared.events.append
    )
    plan = source.plan(4, torch.Generator().manual_seed(0))
    assert [len(numbers) for numbers in plan] == [4, 4, 4]


def test_metrics_are_means_over_all_rows_and_the_worst_row_is_shown(prepare: Make) -> None:
    prepared = prepare(KIND, PAIRS, beta=0.3)
    network, batch, reference = with_reference(prepared)
    batch.rows = prepared.raw.train
    evaluator = prepared.task.evaluator(prepared.fitted)
    with torch.no_grad():
        evaluator.update(network, batch)
    result = evaluator.compute(views=True)
    good, bad = sides(network, batch)
    rewards = 0.3 * (good - reference[0]), 0.3 * (bad - reference[1])
    assert result.metrics == pytest.approx(
        {
            "loss": -log_sigmoid(rewards[0] - rewards[1]).mean(),
            "accuracy": (rewards[0] > rewards[1]).mean(),
            "margin": (rewards[0] - rewards[1]).mean(),
            "chosen_reward": rewards[0].mean(),
            "rejected_reward": rewards[1].mean(),
            "chosen_logp": good.mean(),
            "rejected_logp": bad.mean(),
        },
        rel=1e-4,
    )
    worst = int((rewards[0] - rewards[1]).argmin())
    [view] = result.views
    assert view.items[0] == {
        "prompt": PAIRS["prompt"][worst],
        "chosen": PAIRS["chosen"][worst],
        "chosen reward": f"{rewards[0][worst]:+.3f}",
        "rejected": PAIRS["rejected"][worst],
        "rejected reward": f"{rewards[1][worst]:+.3f}",
    }


def test_without_pairs_the_accuracy_is_the_share_of_all_pairs_that_are_right() -> None:
    good, bad = torch.tensor([3.0, 1.0]), torch.tensor([2.0, 1.0, 0.0])
    # 3 wins all; 1 loses to 2, ties with 1 and wins against 0.
    assert share_of_wins(good, bad, paired=False) == pytest.approx((3 + 1.5) / 6)
    assert np.isnan(share_of_wins(good, bad[:0], paired=False))


def test_the_untuned_model_is_the_baseline(prepare: Make) -> None:
    held_out = {name: values[:2] for name, values in PAIRS.items()}
    prepared = prepare(KIND, PAIRS, test=held_out)
    task, network = prepared.task, prepared.network()
    cpu = torch.device("cpu")
    sources = {
        split: task.encode(table, prepared.fitted, cpu, prepared.events.append)
        for split, table in prepared.raw.splits.items()
    }
    with torch.no_grad():
        known = task.settle_start(network, sources, {}, prepared.events.append)
    assert known.keys() == {TRAIN, TEST}
    good, bad = sides(network, prepared.encoded(held_out))
    np.testing.assert_allclose(known[TEST], np.stack([good, bad], 1), rtol=1e-5)
    [baseline] = task.baselines(prepared.raw, prepared.fitted)
    found = baseline.evaluation
    assert baseline.name == "the untuned model"
    assert found.metrics["loss"] == pytest.approx(np.log(2))
    assert found.metrics["accuracy"] == (good > bad).mean()
    again = task.settle_start(prepared.network(seed=1), sources, known, prepared.events.append)
    assert again == known


def test_a_prompt_alone_is_continued(prepare: Make) -> None:
    prepared = prepare(KIND, PAIRS, max_new_tokens=3, temperature=0.0)
    assert prepared.task.pipeline.inputs(prepared.fitted) == ("prompt",)
    [record] = prepared.predictions(prepared.network(), {"prompt": ["sky?"]})
    assert record["prompt"].startswith("sky?")
    assert isinstance(record["continuation"], str)


@pytest.mark.parametrize("loss", ["dpo", "ipo", "kto"])
def test_losses_with_a_reference_and_their_gradients_equal_those_of_trl(
    prepare: Make, tmp_path: Path, loss: str
) -> None:
    trl = pytest.importorskip("trl")
    lines = {"prompt": ["sky?\n", "an owl?\n", "q\n", "r\n"]}
    if loss == "kto":
        lines |= {"completion": ["blue", "red or so", "a", "b"], "label": [True, False, True, True]}
    else:
        lines |= {"chosen": ["blue", "gray", "a", "c"], "rejected": ["no", "red or so", "bb", "d"]}
    prepared = prepare(KIND, lines, loss=loss, beta=0.3)
    network, other = prepared.network(), prepared.network(seed=1)
    batch = prepared.encoded()
    batch.targets["reference"] = torch.tensor(np.stack(sides(other, batch), 1), dtype=torch.float32)
    ours = prepared.task.loss(network, batch)
    ours.backward()
    gradients = [part.grad.clone() for part in network.parameters()]
    network.zero_grad()

    own = {"loss_type": {"dpo": "sigmoid"}.get(loss, loss), "beta": 0.3}
    kind = "KTO" if loss == "kto" else "DPO"
    options = {
        "per_device_train_batch_size": 4,
        "use_cpu": True,
        "report_to": "none",
        "bf16": False,
    }
    trainer = getattr(trl, f"{kind}Trainer")(
        model=network,
        ref_model=other,
        args=getattr(trl, f"{kind}Config")(str(tmp_path), **own, **options),
        train_dataset=datasets.Dataset.from_dict(lines),
        processing_class=prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer),
    )
    theirs = trainer.compute_loss(network.eval(), next(iter(trainer.get_train_dataloader())))
    theirs.backward()
    assert float(ours) == pytest.approx(float(theirs), rel=1e-5)
    for mine, part in zip(gradients, network.parameters(), strict=True):
        torch.testing.assert_close(mine, part.grad, rtol=1e-4, atol=1e-6)


def test_single_answers_may_stand_in_their_conversations(prepare: Make) -> None:
    whole = [json.dumps(turns("sky?", answer)) for answer in ("blue", "red")]
    rows = {"messages": whole, "kto_tag": ["desirable", "undesirable"]}
    prepared = prepare(KIND, rows, loss="kto")
    assert prepared.fitted.columns == {"completion": "messages", "label": "kto_tag"}
    assert prepared.task.pipeline.inputs(prepared.fitted) == ("messages",)
    [record] = prepared.predictions(prepared.network(), {"messages": whole[:1]})
    assert "sky?" in record["prompt"]
    assert "blue" not in record["prompt"]


def test_the_instructions_in_an_answers_conversation_are_a_part_of_its_prompt(
    prepare: Make,
) -> None:
    system = {"role": "system", "content": "brief"}
    one, other = (json.dumps([system, *turns("sky?", answer)]) for answer in ("blue", "red"))
    rows = {"prompt": ["sky?"] * 2, "chosen": [one] * 2, "rejected": [other] * 2}
    prepared = prepare(KIND, rows)
    [record] = prepared.predictions(
        prepared.network(), {name: values[:1] for name, values in rows.items()}
    )
    assert "brief" in record["prompt"]
    assert record["prompt"].count("sky?") == 1


@pytest.mark.parametrize(
    "rows",
    [
        {"messages": [turns("a?", "b", "c?", "d")], "rejected_response": ["x"]},
        {"messages": [turns("a?", "b", "c?", "d")],
         "rejected_messages": [turns("a?", "b", "c?", "x")]},
        {"query": ["c?"], "response": ["d"], "rejected_response": ["x"],
         "history": [[["a?", "b"]]]},
        {"instruction": ["c?"], "chosen": ["d"], "rejected": ["x"], "history": [[["a?", "b"]]]},
        {"prompt": [turns("c?")], "chosen": [turns("", "d")[1:]], "accepted": ["-"],
         "rejected": [turns("", "x")[1:]], "history": [turns("a?", "b")]},
    ],
)  # fmt: skip
def test_preferences_of_ms_swift_and_llama_factory_are_read(
    prepare: Make, rows: dict[str, list[Any]]
) -> None:
    doubled = {name: values * 2 for name, values in rows.items()}
    prepared = prepare(KIND, doubled, chat_template="roles")
    tokenizer = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer)
    batch = prepared.encoded()
    end = "<|endoftext|>"
    asked = f"<|user|>\na?{end}\n<|assistant|>\nb{end}\n<|user|>\nc?{end}\n<|assistant|>\n"
    for ids, labels, answer in (
        (batch.inputs["input_ids"], batch.targets["labels"], "d"),
        (batch.targets["second"]["input_ids"], batch.targets["second_labels"], "x"),
    ):
        learned = tokenizer.decode([token for token in labels[0].tolist() if token >= 0])
        assert learned == f"{answer}{end}\n"
        assert tokenizer.decode(ids[0]).startswith(asked + answer)


def test_preferences_with_images_are_left_out(prepare: Make) -> None:
    rows = {name: [*values] for name, values in PAIRS.items()} | {"images": [["a.jpg"], [], []]}
    [skip] = prepare(KIND, rows).raw.skips
    assert skip.reason.startswith("it has images")
    assert skip.count == 1
