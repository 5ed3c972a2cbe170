#!/usr/bin/env bash
# tokenizers 0.23.1 and 0.23.2 lose the windows of a long text that it is asked to return.
#
# Expected: with truncation, Encoding.overflowing has the tokens behind the first window, in windows that
#   share `stride` tokens, so that every token of the text is in one of them. So it is with 0.22 and 0.23.3.
# Observed with 0.23.1 and 0.23.2: of one text there is no window but the first; of a pair there is one
#   more, of two tokens beyond the first. Nothing is raised or logged. transformers 5.17 allows both
#   versions, and its return_overflowing_tokens=True (the usual way to read long contexts for answers)
#   passes this on: of a context of 30 tokens, 18 are lost.
#
# Needs Python 3.11 or later and a package index; takes a minute. Exits with 1 when something else is
# seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"

cat >"$folder/windows.py" <<'PYTHON'
import sys

import tokenizers
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

WORDS = [f"w{number}" for number in range(30)]
TEXT = " ".join(WORDS)


def made():
    """Return a tokenizer that has a token for each word."""
    numbers = {word: number for number, word in enumerate(["[UNK]", "[PAD]", "q", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def windows(strategy, size, *texts):
    """Return how many windows there are, and how many of the 30 words are in any."""
    tokenizer = made()
    tokenizer.enable_truncation(size, stride=3, strategy=strategy)
    first = tokenizer.encode(*texts)
    all_of_them = [first, *first.overflowing]
    return len(all_of_them), len({t for window in all_of_them for t in window.tokens} & set(WORDS))


def of_transformers():
    """Return the same for a question and its context, as transformers' examples read them."""
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made(), unk_token="[UNK]", pad_token="[PAD]"
    )
    found = tokenizer(
        ["q q"], [TEXT], truncation="only_second", max_length=12, stride=3,
        return_overflowing_tokens=True,
    )["input_ids"]
    words = {tokenizer.convert_ids_to_tokens(token) for window in found for token in window}
    return len(found), len(words & set(WORDS))


found = {
    "one text": windows("longest_first", 10, TEXT),
    "a pair": windows("only_second", 12, "q q", TEXT),
    "transformers": of_transformers(),
}
print(f"tokenizers {tokenizers.__version__}, transformers {transformers.__version__}")
for name, (number, words) in found.items():
    print(f"  {name}: {number} windows with {words} of 30 words")
whole = dict.fromkeys(found, (4, 30))
lost = {"one text": (1, 10), "a pair": (2, 12), "transformers": (2, 12)}
raise SystemExit(found != (lost if sys.argv[1] == "lost" else whole))
PYTHON

observe() {
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        "tokenizers==$1" "transformers==$2"
    "$folder/venv/bin/python" "$folder/windows.py" "$3"
}

observe 0.23.1 5.17.0 lost
observe 0.23.2 5.17.0 lost
observe 0.23.3 5.17.0 whole
