"""The parts between texts and batches: columns, labels, padding, lengths, words, answers."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.data.class_labels import with_class_names
from engine.errors import DataError
from engine.text.answers.answers import answers_of
from engine.text.classes.labels import classes_of, flags_of, labels_of
from engine.text.columns import chosen, find_label, find_pair, find_text
from engine.text.spread import evenly_spread
from engine.text.tokens.buckets import shuffled_by_length, shuffled_evenly, sorted_by_length
from engine.text.tokens.lengths import length_facts
from engine.text.tokens.padding import counts_without, mask_of, padded
from engine.text.tokens.tokenizer import train_wordpiece
from engine.text.tokens.words import first_tokens, marked, targets_of, words_of

REVIEWS = pa.table({
    "id": ["a1", "b2"], "headline": ["Good", "Bad"],
    "story": ["A long and winding tale.", "Another tale, not as long."], "stars": [5, 1],
})  # fmt: skip


def test_the_text_is_found_by_its_name_or_its_length() -> None:
    assert find_text(REVIEWS) == "story"
    assert find_text(REVIEWS.rename_columns(["id", "text", "story", "stars"])) == "text"


def test_the_label_is_found_by_its_name_its_notes_or_as_the_only_column_with_few_values() -> None:
    assert find_label(REVIEWS.append_column("Label", [["x", "y"]]), ["story"]) == "Label"
    assert find_label(REVIEWS.select(["story", "stars"]), ["story"]) == "stars"
    # The only column that can hold classes needs no known name, however many values it has.
    verdicts = pa.table({"story": ["a b"] * 9, "verdict": list("abcdefghi"), "price": [0.5] * 9})
    assert find_label(verdicts, ["story"]) == "verdict"
    assert find_label(pa.table({"story": ["a"], "genres": [["x", "y"]]}), ["story"]) == "genres"
    noted = with_class_names(REVIEWS, "stars", ["bad", "good"])
    assert find_label(noted, ["story"]) == "stars"


def test_a_label_that_cannot_be_determined_is_asked_for() -> None:
    with pytest.raises(DataError, match=r"id, headline, stars\. Set task\.label"):
        find_label(REVIEWS, ["story"])


def test_a_wrong_column_is_answered_with_those_there_are() -> None:
    with pytest.raises(DataError, match=r"task\.text: there is no column 'txt'.*headline"):
        chosen(REVIEWS, "txt", "task.text")


def test_pairs_are_found_by_their_names() -> None:
    pairs = pa.table({"hypothesis": ["b"], "premise": ["a"], "label": [0]})
    assert find_pair(pairs) == ("premise", "hypothesis")
    assert find_pair(REVIEWS) is None


def test_labels_get_their_names_and_lose_numbers_that_stand_for_none() -> None:
    table = with_class_names(pa.table({"label": [1, 0, -1, None]}), "label", ["no", "yes"])
    assert labels_of(table, "label") == ["yes", "no", None, None]


def test_labels_of_any_type_become_texts() -> None:
    assert labels_of(pa.table({"x": [1.0, 2.0]}), "x") == ["1", "2"]
    assert labels_of(pa.table({"x": [True, False]}), "x") == ["true", "false"]
    assert labels_of(pa.table({"x": [["a", "b"], []]}), "x") == [["a", "b"], []]


def test_classes_that_are_numbers_are_in_their_order() -> None:
    assert classes_of(["10", "9", "10"], None) == (["9", "10"], [1, 2])


def test_several_labels_become_flags() -> None:
    assert flags_of([["b"], [], ["a", "b"]], ["a", "b"]) == [[0, 1], [0, 0], [1, 1]]


lists = st.lists(st.lists(st.integers(1, 99), max_size=6), min_size=1, max_size=6)


@given(lists)
def test_padding_and_mask_give_the_lists_back(values: list[list[int]]) -> None:
    column = pa.chunked_array([pa.array(values[:2], pa.list_(pa.int64())),
                               pa.array(values[2:], pa.list_(pa.int64()))])  # fmt: skip
    tensor, mask = padded(column, 0), mask_of(column)
    assert tensor.shape == mask.shape == (len(values), max(map(len, values)))
    kept = [row[flags.bool()].tolist() for row, flags in zip(tensor, mask, strict=True)]
    assert kept == values
    assert (tensor[mask == 0] == 0).all()


lengths_and_batch = st.tuples(
    st.lists(st.integers(0, 500), min_size=1, max_size=400), st.integers(1, 9)
)


@given(lengths_and_batch, st.integers(0, 10))
def test_every_sample_is_in_one_batch_and_the_seed_fixes_which(
    given_lengths: tuple[list[int], int], seed: int
) -> None:
    lengths, size = torch.tensor(given_lengths[0]), given_lengths[1]
    counts = []
    for learned in (None, lengths // 3):
        plans = [
            shuffled_by_length(lengths, size, torch.Generator().manual_seed(seed), learned)
            for _ in range(2)
        ]
        assert sorted(torch.cat(plans[0]).tolist()) == list(range(len(lengths)))
        assert all(map(torch.equal, *plans))
        assert all(map(len, plans[0]))
        counts.append(len(plans[0]))
    assert counts[0] == counts[1]
    assert sorted(torch.cat(sorted_by_length(lengths, size)).tolist()) == list(range(len(lengths)))


def test_batches_by_length_are_nearly_without_padding() -> None:
    lengths = torch.from_numpy(np.random.default_rng(0).integers(1, 512, 6000))
    plan = shuffled_by_length(lengths, 32, torch.Generator().manual_seed(0))
    cells = sum(len(rows) * int(lengths[rows].max()) for rows in plan)
    assert lengths.sum() / cells > 0.95


def test_batches_hold_about_equally_many_learned_tokens() -> None:
    lengths = torch.from_numpy(np.random.default_rng(0).integers(5, 250, 6000))
    learned = lengths // 2
    plan = shuffled_by_length(lengths, 16, torch.Generator().manual_seed(0), learned)
    sums = torch.tensor([int(learned[rows].sum()) for rows in plan]).double()
    # A row of 125 is a twelfth of a batch, which two ends can be off by half of each.
    assert sums.max() / sums.min() < 1.25
    assert sum(map(len, plan)) / len(plan) == 16
    cells = sum(len(rows) * int(lengths[rows].max()) for rows in plan)
    assert lengths.sum() / cells > 0.95


def test_batches_without_padding_are_as_even_and_of_rows_of_any_length() -> None:
    lengths = torch.from_numpy(np.random.default_rng(0).integers(5, 250, 3000))
    learned = lengths // 2
    plan = shuffled_evenly(lengths, 16, torch.Generator().manual_seed(0), learned)
    assert sorted(torch.cat(plan).tolist()) == list(range(3000))
    sums = torch.tensor([int(learned[rows].sum()) for rows in plan]).double()
    assert sums.max() / sums.min() < 1.25
    # The mean length of a batch is near that of all: lengths from 5 to 250 have a deviation of 71.
    means = torch.tensor([float(lengths[rows].float().mean()) for rows in plan])
    assert float(means.std()) < 1.5 * 71 / 4


def test_no_batch_takes_much_more_memory_or_has_few_rows() -> None:
    """Prompts that are cut off have nothing to learn, and long ones may have short answers."""
    draw = np.random.default_rng(0)
    lengths = torch.from_numpy(draw.integers(40, 400, 1000))
    learned = torch.full((1000,), 20)
    lengths[:300], learned[:300] = 512, 0
    for seed in range(3):
        plan = shuffled_by_length(lengths, 8, torch.Generator().manual_seed(seed), learned)
        assert max(len(rows) * int(lengths[rows].max()) for rows in plan) <= 1.5 * 8 * 512
        assert len(plan) == 125
    many = torch.from_numpy(draw.lognormal(4, 1.5, 2000).astype(int) + 1)
    plan = shuffled_by_length(many, 16, torch.Generator().manual_seed(0), many)
    assert min(map(len, plan)) >= 7
    nothing = torch.zeros(10, dtype=torch.int64)
    assert sorted(map(len, shuffled_by_length(nothing, 3, torch.Generator(), nothing)))[0] >= 1


def test_learned_tokens_are_counted_without_those_that_are_ignored() -> None:
    lists = pa.chunked_array([[[-100, 5, 6], []], [[-100, -100], [7]]])
    assert counts_without(lists, -100).tolist() == [2, 0, 0, 1]
    assert counts_without(lists.slice(1, 2), -100).tolist() == [0, 0]
    assert counts_without(pa.chunked_array([], pa.list_(pa.int64())), 0).tolist() == []


def test_batches_by_length_come_in_another_order_each_time() -> None:
    lengths = torch.arange(640)
    generator = torch.Generator().manual_seed(0)
    first, second = (shuffled_by_length(lengths, 32, generator) for _ in range(2))
    assert not all(map(torch.equal, first, second))
    middles = [float(lengths[rows].float().mean()) for rows in first]
    assert middles != sorted(middles)


def test_lengths_are_reported_in_words() -> None:
    facts = length_facts([10] * 95 + [100] * 5, limit=50)
    assert facts["tokens"].startswith("median 10, ")
    assert facts["cut"] == "5.0% are longer than 50 tokens"
    assert "cut" not in length_facts([10, 20], limit=50)
    assert length_facts([], limit=50) == {}


def test_the_first_token_of_a_word_is_labelled() -> None:
    firsts = first_tokens([None, 0, 1, 1, 1, 2, None])
    assert firsts == [-1, 0, 1, -1, -1, 2, -1]
    assert targets_of(firsts, [5, 6, 7]) == [-100, 5, 6, -100, -100, 7, -100]


def test_typed_sentences_lose_their_punctuation_to_words_of_its_own() -> None:
    assert words_of("Ann's in New York.", typed=True) == ["Ann's", "in", "New", "York", "."]
    assert words_of("Ann 's here.") == ["Ann", "'s", "here."]


@pytest.mark.parametrize(
    "words",
    [
        ["हिन्दी", "में", "।"],
        ["Cafe\u0301", "ครับ", "!"],
        ["می\u200cروم", "."],
        ["👍🏽", "👨\u200d👩\u200d👧", "❤\ufe0f", "ok"],
        ["l\u2019e\u0301te\u0301", "?"],
    ],
)
def test_typed_words_keep_the_marks_of_their_letters(words: list[str]) -> None:
    assert words_of(" ".join(words), typed=True) == words


def test_entities_are_marked_in_their_sentence() -> None:
    words = ["Ann", "Lee", "left", "Rome"]
    assert (
        marked(words, [("person", 0, 2), ("place", 3, 4)]) == "[Ann Lee person] left [Rome place]"
    )


@pytest.mark.parametrize(
    "value",
    [
        {"text": ["Rome"], "answer_start": [8]},
        {"text": ["Rome"], "answer_start": [3]},
        [{"text": "Rome", "answer_start": 8}],
        {"text": "Rome", "answer_start": 8},
        "Rome",
        ["Rome"],
        [{"text": "Rome"}],
        {"text": ["Rome", None], "answer_start": [8, None]},
        {"text": ["Rome"], "answer_start": [None]},
        {"text": ["Rome"], "answer_start": []},
        {"text": "Rome", "answer_start": "8"},
        {"text": "Rome", "answer_start": 8.0},
        {"answer": "Rome", "start": 8},
        "{'text': ['Rome'], 'answer_start': [8]}",
        '{"text": ["Rome"], "answer_start": [8]}',
        "{'text': array(['Rome'], dtype=object), 'answer_start': array([8], dtype=int32)}",
        "['Rome']",
    ],
)
def test_answers_are_read_in_every_form_and_found_where_they_stand(value: object) -> None:
    assert answers_of(value, "She saw Rome.") == [("Rome", 8)]


def test_an_answer_that_is_not_in_the_text_is_a_fault_and_none_at_all_is_not() -> None:
    assert answers_of("Paris", "She saw Rome.") is None
    assert answers_of({"text": [], "answer_start": []}, "She saw Rome.") == []
    for nothing in (None, "", [None], [], {"text": [None], "answer_start": [None]}, "[]"):
        assert answers_of(nothing, "She saw Rome.") == []
    assert answers_of({"span": "Rome"}, "She saw Rome.") is None


TWICE = "Tilda met Bo. The prize went to Tilda in 1990, not to Tildas."


@pytest.mark.parametrize("start", [29, 30, 31, 32, 33, 34, 40])
def test_of_several_places_the_nearest_to_the_given_position_is_taken(start: int) -> None:
    assert answers_of({"text": ["Tilda"], "answer_start": [start]}, TWICE) == [("Tilda", 32)]


@given(st.text("ab ", min_size=1, max_size=40), st.integers(0, 39), st.integers(-3, 3))
def test_an_answer_moves_no_further_than_to_its_nearest_place(
    context: str, start: int, off: int
) -> None:
    text = context[start : start + 3].strip()
    if not text:
        return
    true = context.index(text, start)
    given_start = max(0, true + off)
    ((_, place),) = answers_of({"text": text, "answer_start": given_start}, context) or []
    assert context.startswith(text, place)
    nearest = min(abs(n - given_start) for n in range(len(context)) if context.startswith(text, n))
    assert abs(place - given_start) == nearest


def test_positions_in_bytes_and_in_units_of_utf_16_are_understood() -> None:
    context = "Ana é, ü, ß, ö, ä. Ana 😀 Ana, then Ana."
    place = context.index("Ana", 22)
    for start in (len(context[:place].encode()), len(context[:place].encode("utf-16-le")) // 2):
        assert answers_of({"text": "Ana", "answer_start": start}, context) == [("Ana", place)]


def test_answers_without_a_position_do_not_begin_inside_a_word() -> None:
    assert answers_of("art", "A party of art lovers.") == [("art", 11)]
    assert answers_of("art", "A party.") == [("art", 3)]


def test_answers_that_are_numbers_or_in_brackets_are_texts() -> None:
    assert answers_of(1990, "In 1990.") == answers_of(1990.0, "In 1990.") == [("1990", 3)]
    assert answers_of("[3]", "See [3].") == [("[3]", 4)]


def test_of_too_many_texts_some_are_taken_from_everywhere() -> None:
    texts = [f"{number:05}" for number in range(1000)]
    assert evenly_spread(texts, 5000) == texts
    some = [int(text) for text in evenly_spread(texts, 500)]
    assert 50 <= len(some) <= 100
    assert {after - before for before, after in itertools.pairwise(some)} == {some[1]}
    assert evenly_spread(["a" * 900, "b"], 500) == ["a" * 900]
    assert evenly_spread([]) == []


_TRAINED_TOKENIZERS = """
import hashlib, random
from engine.text.tokens.bpe import train_bpe
from engine.text.tokens.tokenizer import train_wordpiece

draw, digest = random.Random(1), hashlib.sha256()
for letters in ("ab", "abc", "aé-ü", "日本 語"):
    for size in (270, 1000):
        texts = ["".join(draw.choices(letters, k=draw.randint(2, 14))) for _ in range(60)]
        digest.update(train_wordpiece(texts, size, lowercase=True).encode())
        digest.update(train_bpe(texts, size).encode())
print(digest.hexdigest())
"""


def test_tokenizers_trained_in_fresh_processes_are_the_same() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", _TRAINED_TOKENIZERS], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(digests) == 1


def test_a_trained_vocabulary_is_numbered_by_characters_and_then_by_frequency() -> None:
    trained = json.loads(train_wordpiece(["abab, abc ab"], 100, lowercase=True))
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    # Of the pairs, "ab" is there three times; the others once each, in the order of their numbers.
    characters = [",", "a", "b", "c", "##a", "##b", "##c"]
    assert list(trained["model"]["vocab"])[:12] == [*marks, *characters, "ab"]
    assert [token["content"] for token in trained["added_tokens"]] == marks
