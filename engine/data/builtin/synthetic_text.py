"""Sentences that are made up: named entities to tag, and questions on small biographies."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa

from engine.data.raw import TRAIN, RawData
from engine.data.readers.squad import ANSWERS

_SENTENCES = 2000
_BIOGRAPHIES = 800

_STARTS = ("Al", "Bren", "Cor", "Dar", "El", "Fen", "Gar", "Hol", "Is", "Jor", "Kel", "Lor", "Mar",
           "Nor", "Os", "Pel", "Quin", "Ros", "Sel", "Tor", "Ul", "Ver", "Wil", "Yor")  # fmt: skip
_PERSONS = ("a", "an", "da", "ea", "ena", "ian", "ick", "in", "is", "o", "on", "wen")
_FAMILIES = ("berg", "by", "croft", "ders", "field", "gate", "man", "sen", "smith", "ter", "well")
_PLACES = ("burg", "dale", "ford", "ham", "mouth", "port", "stad", "ton", "ville", "wick")
_FIRMS = ("Bank", "Brothers", "Foundation", "Institute", "Motors", "Press", "Systems", "Works")

_TEMPLATES = (
    "{person} moved from {place} to {place} last spring .",
    "The {organisation} opened an office in {place} .",
    "On Monday , {person} of the {organisation} met {person} .",
    "{organisation} hired {person} as its director .",
    "Nobody in {place} had heard of {person} before .",
    "Trains between {place} and {place} are late again .",
    "Yesterday the harbour of {place} was closed by a storm .",
    "It rained all day and the match was called off .",
    "{person} , who was born in {place} , works for {organisation} .",
    "Shares of {organisation} fell after {person} left .",
)
_JOBS = ("baker", "carpenter", "doctor", "engineer", "gardener", "judge", "painter", "pilot",
         "sailor", "teacher", "weaver", "writer")  # fmt: skip
_THINGS = ("a bridge", "a clock", "a garden", "a library", "a mill", "a newspaper", "a school",
           "a theatre")  # fmt: skip


def entities() -> RawData:
    """2,000 sentences with persons, places and organisations, tagged B, I and O."""
    made = random.Random(0)
    tokens, tags = [], []
    for _ in range(_SENTENCES):
        words, labels = _tagged(made, made.choice(_TEMPLATES))
        tokens.append(words)
        tags.append(labels)
    return RawData({TRAIN: pa.table({"tokens": tokens, "tags": tags})})


def questions() -> RawData:
    """800 short biographies, and for each a question whose answer stands in it."""
    made = random.Random(0)
    kinds = [("context", pa.string()), ("question", pa.string()), ("answers", ANSWERS)]
    rows = [_asked(made) for _ in range(_BIOGRAPHIES)]
    return RawData({TRAIN: pa.Table.from_pylist(rows, pa.schema(kinds))})


def _tagged(made: random.Random, template: str) -> tuple[list[str], list[str]]:
    words: list[str] = []
    tags: list[str] = []
    for part in template.split():
        kind = part.strip("{}")
        name = _NAMES[kind](made).split() if part.startswith("{") else [part]
        words += name
        tags += [f"B-{kind}", *[f"I-{kind}"] * (len(name) - 1)] if part.startswith("{") else ["O"]
    return words, tags


def _asked(made: random.Random) -> dict[str, Any]:
    person, place, home = _person(made), _place(made), _place(made)
    year, job, thing = str(made.randint(1700, 1950)), made.choice(_JOBS), made.choice(_THINGS)
    sentences = [
        f"{person} was born in {place} in {year}.",
        f"{person} worked as a {job} and lived in {home}.",
        f"In later years, {person} founded {thing} there.",
    ]
    context = " ".join(sentences)
    question, answer, number = made.choice([
        (f"Where was {person} born?", place, 0),
        (f"When was {person} born?", year, 0),
        (f"Where did {person} live?", home, 1),
        (f"What did {person} work as?", job, 1),
        (f"What did {person} found?", thing, 2),
    ])  # fmt: skip
    # A home may have the name of the place of birth, and a gardener may found a garden.
    before = sum(len(sentence) + 1 for sentence in sentences[:number])
    start = before + sentences[number].index(answer)
    return {
        "context": context,
        "question": question,
        "answers": {"text": [answer], "answer_start": [start]},
    }


def _person(made: random.Random) -> str:
    given = made.choice(_STARTS) + made.choice(_PERSONS)
    return f"{given} {made.choice(_STARTS)}{made.choice(_FAMILIES)}"


def _place(made: random.Random) -> str:
    return made.choice(_STARTS) + made.choice(_PLACES)


def _organisation(made: random.Random) -> str:
    return f"{made.choice(_STARTS)}{made.choice(_FAMILIES)} {made.choice(_FIRMS)}"


_NAMES = {"person": _person, "place": _place, "organisation": _organisation}
