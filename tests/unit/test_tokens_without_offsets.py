"""Tokenizers in Python and sentencepiece: places, words and windows of their tokens."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import transformers

from engine.data.labels import IGNORED
from engine.errors import DataError
from engine.text.chat.bordered_tokens import bordered
from engine.text.chat.chat_prompts import ChatPrompts
from engine.text.chat.instructions import Instructions
from engine.text.chat.plain_prompts import PlainPrompts
from engine.text.tokens.any_tokenizer import content_of, text_of, vocabulary_of
from engine.text.tokens.placed_tokens import placed, word_tokens
from engine.text.tokens.windows import ContextWindows, SentenceWindows

TEXT = "Ann saw the film in Rome and it was superb but long , said Ben of Acme Works ."
UNUSUAL = "Ann's  “café”\n— 12.50 € 😀 in İzmir"
WORDPIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ann", "saw", "the", "fi", "##lm", "in",
              "ro", "##me", "who", "was", "?", ",", "."]  # fmt: skip


def pieces(path: Path, text: str = TEXT) -> Path:
    """A sentencepiece model of some words."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text] * 20), model_prefix=str(path), vocab_size=60,
        hard_vocab_limit=False, minloglevel=2,
        control_symbols=["<pad>", "<|endoftext|>"],
    )  # fmt: skip
    return path.with_name(f"{path.name}.model")


def gpt_sw3(folder: Path) -> Any:
    return transformers.GPTSw3Tokenizer(str(pieces(folder / "spiece")))


@pytest.fixture
def both(tmp_path: Path) -> tuple[Any, Any]:
    """The same word pieces by a fast tokenizer and by one in Python."""
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join(WORDPIECES))
    legacy = transformers.models.bert.tokenization_bert_legacy.BertTokenizerLegacy(str(path))
    legacy.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    fast = transformers.BertTokenizer(vocab={word: at for at, word in enumerate(WORDPIECES)})
    assert fast.is_fast
    assert not legacy.is_fast
    return fast, legacy


def test_windows_of_contexts_are_those_of_a_fast_tokenizer(both: tuple[Any, Any]) -> None:
    contexts = ["Ann saw the film in Rome. " * 5, "In Rome", "the Film"]
    rows = {
        "question": ["Who was in Rome?", " Who saw the film in Rome, in Rome, in Rome?", "Who?"],
        "context": contexts, "row": [7, 8, 9],
        "begin": [contexts[0].rindex("Ann"), 3, -1], "end": [contexts[0].rindex("Ann") + 3, 7, -1],
    }  # fmt: skip
    fast, legacy = (ContextWindows(tokenizer, 18, 3)(rows) for tokenizer in both)
    assert len(fast["row"]) > 5
    assert legacy == fast


def test_windows_of_sentences_are_those_of_a_fast_tokenizer(both: tuple[Any, Any]) -> None:
    rows = {
        "words": [["Ann", "saw", "film", ",", "Rome"] * 5, ["film"], ["Ann", "saw"] * 6],
        "codes": [[1, 0, 0, 0, 2] * 5, [0], [1, 0] * 6], "row": [0, 1, 2],
    }  # fmt: skip
    fast, legacy = (SentenceWindows(tokenizer, 12)(rows) for tokenizer in both)
    assert len(fast["row"]) > 5
    assert legacy == fast


def test_each_character_of_canine_stands_at_its_place() -> None:
    tokens = placed(transformers.CanineTokenizer(), UNUSUAL)
    assert tokens is not None
    ids, places = tokens
    assert ids == [ord(character) for character in UNUSUAL]
    assert places == [(place, place + 1) for place in range(len(UNUSUAL))]


@pytest.mark.parametrize("kind", [transformers.ByT5Tokenizer, transformers.PerceiverTokenizer])
def test_each_byte_stands_at_its_character(kind: Any) -> None:
    tokens = placed(kind(), UNUSUAL)
    assert tokens is not None
    ids, places = tokens
    offset = kind()("a", add_special_tokens=False)["input_ids"][0] - ord("a")
    assert bytes(token - offset for token in ids) == UNUSUAL.encode()
    for start, end in set(places):
        inside = [token - offset for token, place in zip(ids, places, strict=True)
                  if place == (start, end)]  # fmt: skip
        assert bytes(inside).decode() == UNUSUAL[start:end]


def test_places_of_sentencepiece_are_those_that_it_tells_itself(tmp_path: Path) -> None:
    tokenizer = gpt_sw3(tmp_path)
    text = "  Ann saw\n“Rome” — it's  superb 😀."
    tokens = placed(tokenizer, text)
    assert tokens is not None
    for token, (start, end) in zip(tokenizer.tokenize(text), tokens[1], strict=True):
        assert text[start:end] == token.replace("▁", "")
    assert "".join(text[start:end] for start, end in tokens[1]) == "".join(text.split())


def test_a_text_that_a_tokenizer_changes_has_no_places(tmp_path: Path) -> None:
    tokenizer = gpt_sw3(tmp_path)
    assert placed(tokenizer, "Ann … saw") is None  # three dots afterwards
    windows = ContextWindows(tokenizer, 32, 4)
    rows = {"question": ["Who?"], "context": ["Ann … saw"], "row": [0], "begin": [0], "end": [3]}
    with pytest.raises(DataError, match="changes the text 'Ann … saw'"):
        windows(rows)


@pytest.mark.parametrize(
    ("kind", "offset"), [(transformers.CanineTokenizer, 0), (transformers.ByT5Tokenizer, 3)]
)
def test_words_of_characters_keep_the_blanks_between_them(kind: Any, offset: int) -> None:
    words = ["Ann", "saw", "New York"]
    ids, numbers = word_tokens(kind(), words)
    assert "".join(chr(token - offset) for token in ids) == "Ann saw New York"
    assert numbers == [0] * 4 + [1] * 4 + [2] * 8


def test_words_of_sentencepiece_are_read_one_by_one(tmp_path: Path) -> None:
    tokenizer = gpt_sw3(tmp_path)
    words = TEXT.split()
    ids, numbers = word_tokens(tokenizer, words)
    for number, word in enumerate(words):
        own = [token for token, at in zip(ids, numbers, strict=True) if at == number]
        assert tokenizer.decode(own) == word


@pytest.mark.parametrize("completion", ["the film in Rome", " the film", "ilm"])
def test_what_is_learned_of_a_pair_is_its_completion_and_the_end(
    completion: str, tmp_path: Path
) -> None:
    tokenizer = gpt_sw3(tmp_path)
    made = Instructions(tokenizer, 64, True, PlainPrompts(tokenizer.eos_token, " "))
    sample = made({"prompt": ["Ann saw"], "completion": [completion]})
    ids, labels = sample["input_ids"][0], sample["labels"][0]
    learned = [label for label in labels if label != IGNORED]
    assert learned[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(learned[:-1]).strip() == completion.strip()
    # What a prediction begins with is what was trained on.
    assert ids[: len(ids) - len(learned) + 1] == tokenizer("Ann saw")["input_ids"]
    assert sample["characters"][0] == len(" " + completion.lstrip()) + completion.startswith(" ")


def test_only_answers_of_a_conversation_are_learned(tmp_path: Path) -> None:
    tokenizer = gpt_sw3(tmp_path)
    made = Instructions(tokenizer, 400, True, ChatPrompts(tokenizer))
    turns = [("user", "Ann saw Ben"), ("assistant", "the film"), ("user", "in Rome"),
             ("assistant", "superb")]  # fmt: skip
    messages = [{"role": role, "content": text} for role, text in turns]
    labels = made({"messages": [messages]})["labels"][0]
    learned = tokenizer.decode([label for label in labels if label != IGNORED])
    assert "the film" in learned
    assert "superb" in learned
    assert "Ann" not in learned
    assert "Rome" not in learned


def test_all_of_a_pair_can_be_learned(tmp_path: Path) -> None:
    tokenizer = gpt_sw3(tmp_path)
    made = Instructions(tokenizer, 64, False, PlainPrompts(tokenizer.eos_token, " "))
    sample = made({"prompt": ["Ann saw"], "completion": ["the film"]})
    whole = tokenizer("Ann saw the film<|endoftext|>")["input_ids"]
    assert sample["input_ids"] == [whole[:-1]]
    assert sample["labels"] == [whole[1:]]


def test_a_text_is_cut_where_a_token_reaches_over_the_beginning_of_an_answer(
    tmp_path: Path,
) -> None:
    tokenizer = gpt_sw3(tmp_path)
    text = "Ann saw the film"
    begin = text.index("aw")  # within a token

    def read(start: int, stop: int) -> list[int]:
        return list(tokenizer(text[start:stop])["input_ids"])

    ids, before = bordered(read, len(text), [begin], [len(text)])
    first = tokenizer(text[:begin])["input_ids"]
    assert ids[: before[begin]] == first
    assert ids[before[begin] :] == tokenizer(text[begin:])["input_ids"]


def test_the_content_of_a_tokenizer_is_that_of_its_files(tmp_path: Path) -> None:
    for name in ("one", "same", "other"):
        (tmp_path / name).mkdir()
    pieces(tmp_path / "one" / "spiece")
    shutil.copy(tmp_path / "one" / "spiece.model", tmp_path / "same")
    pieces(tmp_path / "other" / "spiece", TEXT.replace("film", "book"))
    one, same, other = (
        content_of(transformers.GPTSw3Tokenizer(str(tmp_path / name / "spiece.model")))
        for name in ("one", "same", "other")
    )
    assert one == same
    assert one != other


def test_the_languages_of_m2m_have_rows_and_do_not_show_in_texts(tmp_path: Path) -> None:
    path = pieces(tmp_path / "sentencepiece")
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    names = [model.IdToPiece(number) for number in range(3, model.GetPieceSize())]
    words = dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", *names])
    (tmp_path / "vocab.json").write_text(
        "{" + ", ".join(f'"{word}": {at}' for at, word in enumerate(words)) + "}"
    )
    tokenizer = transformers.M2M100Tokenizer(
        str(tmp_path / "vocab.json"), str(path), src_lang="en", tgt_lang="de"
    )
    ids = tokenizer(text_target="the film in Rome")["input_ids"]
    assert ids[0] == tokenizer.get_lang_id("de") > len(words)
    assert vocabulary_of(tokenizer) > max(ids)
    assert text_of(tokenizer, ids) == "the film in Rome"
    # A network may write another language than the one it is asked for.
    assert text_of(tokenizer, [tokenizer.get_lang_id("fr"), *ids[1:]]) == "the film in Rome"
