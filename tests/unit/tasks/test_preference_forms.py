"""Comparisons as people publish them: lists of answers, scores, columns that name the better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import DataError

Make = Callable[..., Any]
KIND = "preference"


def turns(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)]


def compared(prepared: Any) -> list[tuple[str, str]]:
    """Return the learned answers of each sample, as texts."""
    tokenizer = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer)
    targets = prepared.encoded().targets
    sides = [
        [
            tokenizer.decode([token for token in row if token >= 0], skip_special_tokens=True)
            for row in targets[name].tolist()
        ]
        for name in ("labels", "second_labels")
    ]
    return [(one.strip(), other.strip()) for one, other in zip(*sides, strict=True)]


def notes(prepared: Any) -> list[str]:
    return [note.why for note in prepared.raw.notes]


@pytest.mark.parametrize("chat", [False, True])
def test_each_of_several_rejected_answers_is_compared(prepare: Make, chat: bool) -> None:
    def written(asked: str, text: str) -> Any:
        return turns(asked, text) if chat else text

    rows = {
        "prompt": ["q", "r"],
        "chosen": [written("q", "good"), written("r", "fine")],
        "rejected": [[written("q", "bad"), written("q", "worse")], [written("r", "poor")]],
    }
    prepared = prepare(KIND, rows)
    assert compared(prepared) == [("good", "bad"), ("good", "worse"), ("fine", "poor")]
    assert "train: 2 rows became 3 pairs of a chosen and a rejected answer" in notes(prepared)


def test_pairs_of_one_row_stay_in_one_split(prepare: Make) -> None:
    rows = {
        "prompt": [f"q{row}" for row in range(20)],
        "chosen": ["good"] * 20,
        "rejected": [["bad", "worse", "poor"]] * 20,
    }
    raw = prepare(KIND, rows, data={"validation_fraction": 0.2}).raw
    asked = {split: table["prompt"].to_pylist() for split, table in raw.splits.items()}
    assert len(asked["train"]) == 48
    assert not {*asked["train"]} & {*asked["validation"]}


def test_a_list_without_answers_is_a_fault_of_its_row(prepare: Make) -> None:
    rows = {"prompt": ["q", "r"], "chosen": ["a", "b"], "rejected": [["bad"], []]}
    prepared = prepare(KIND, rows)
    assert compared(prepared) == [("a", "bad")]
    assert [skip.reason for skip in prepared.raw.skips] == ["rejected is empty"]


def test_kto_learns_each_of_several_answers_once(prepare: Make) -> None:
    rows = {"prompt": ["q", "r"], "chosen": ["a", "b"], "rejected": [["bad", "worse"], ["poor"]]}
    prepared = prepare(KIND, rows, loss="kto")
    targets = prepared.encoded().targets
    assert [one for one, _ in compared(prepared)] == ["a", "bad", "worse", "b", "poor"]
    assert targets["desirable"].tolist() == [True, False, False, True, False]


def test_answers_with_scores_are_compared_by_them(prepare: Make) -> None:
    """UltraFeedback: the best with each that is worse; equal ones are not compared."""
    scores = [[7.5, 9.0, 3.0, 9.0], [4.0, 4.0]]
    listed = [
        [{"response": f"a{place}", "overall_score": score, "annotations": {"Rating": str(place)}}
         for place, score in enumerate(row)]
        for row in scores
    ]  # fmt: skip
    prepared = prepare(KIND, {"instruction": ["q", "r"], "completions": listed})
    assert compared(prepared) == [("a1", "a0"), ("a1", "a2")]
    assert "train: 1 row left out in which no answer is better" in notes(prepared)


def test_the_first_rank_is_the_best(prepare: Make) -> None:
    listed = [[{"answer": "b", "rank": 2.0}, {"answer": "a", "rank": 1.0}]]
    prepared = prepare(KIND, {"prompt": ["q"], "answers": listed})
    assert compared(prepared) == [("a", "b")]


def test_scores_may_stand_in_a_list_beside_the_answers(prepare: Make) -> None:
    rows = {"instruction": ["q"], "generations": [["a", "b", "c"]], "ratings": [[2, 5, None]]}
    assert compared(prepare(KIND, rows)) == [("b", "a")]


CHOICES: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    # Chatbot Arena
    ({"conversation_a": [turns("q", "a")] * 4, "conversation_b": [turns("q", "b")] * 4,
      "winner": ["model_a", "model_b", "tie", "tie (bothbad)"]}, [("a", "b"), ("b", "a")]),
    # SHP: "labels: 1 if A is preferred, 0 if B"
    ({"history": ["q"] * 2, "human_ref_A": ["a"] * 2, "human_ref_B": ["b"] * 2,
      "labels": [1, 0]}, [("a", "b"), ("b", "a")]),
    # PKU-SafeRLHF: the number of the response
    ({"prompt": ["q"] * 2, "response_0": ["a"] * 2, "response_1": ["b"] * 2,
      "better_response_id": [0, 1]}, [("a", "b"), ("b", "a")]),
    # AlpacaFarm: the number of the output
    ({"instruction": ["q"] * 2, "output_1": ["a"] * 2, "output_2": ["b"] * 2,
      "preference": [1, 2]}, [("a", "b"), ("b", "a")]),
    # HelpSteer3: "-3: response 1 is much better, 3: response 2 is"
    ({"context": [turns("q")] * 3, "response1": ["a"] * 3, "response2": ["b"] * 3,
      "overall_preference": [-1, 3, 0]}, [("a", "b"), ("b", "a")]),
    ({"prompt": ["q"] * 2, "response_a": ["a"] * 2, "response_b": ["b"] * 2,
      "preferred": ["Response A", "response_b"]}, [("a", "b"), ("b", "a")]),
    # stack-exchange-paired: j is the better one
    ({"question": ["q"], "response_j": ["a"], "response_k": ["b"]}, [("a", "b")]),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "pairs"), CHOICES)
def test_a_column_says_which_of_two_answers_is_better(
    prepare: Make, rows: dict[str, Any], pairs: list[tuple[str, str]]
) -> None:
    prepared = prepare(KIND, rows)
    assert compared(prepared) == pairs
    tokenizer = prepared.task.pipeline.tokenizer(prepared.fitted.tokenizer)
    for ids in prepared.encoded().inputs["input_ids"]:
        assert "q" in tokenizer.decode(ids)


def test_a_choice_that_names_neither_answer_is_refused(prepare: Make) -> None:
    rows = {"prompt": ["q"] * 2, "response_a": ["a"] * 2, "response_b": ["b"] * 2,
            "label": [1, 0]}  # fmt: skip
    with pytest.raises(DataError, match="label: '1' does not say whether response_a or"):
        prepare(KIND, rows)


def test_columns_that_are_chosen_are_taken_as_they_are(prepare: Make) -> None:
    rows = {"prompt": ["q"], "response_0": ["a"], "response_1": ["b"], "better_response_id": [1]}
    prepared = prepare(KIND, rows, chosen="response_0", rejected="response_1")
    assert compared(prepared) == [("a", "b")]


def test_of_two_answers_in_one_list_the_first_is_the_chosen_one(prepare: Make) -> None:
    rows = {
        "instruction": ["q", "r", "s"],
        "input": ["", "more", ""],
        "output": [["good", "bad"], ["fine", "poor"], ["alone", None]],
    }
    prepared = prepare(KIND, rows)
    assert compared(prepared) == [("good", "bad"), ("fine", "poor")]
    assert "train: the first of the two answers in output is the better" in notes(prepared)
    assert "train: 1 row left out in which no answer is better" in notes(prepared)
