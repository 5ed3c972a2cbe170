#!/usr/bin/env bash
# tokenizers' WordPieceTrainer makes another vocabulary in each process, from the same texts.
#
# Expected: the same texts and options give the same vocabulary, as they do with BpeTrainer.
# Observed with tokenizers 0.23.2: of six processes with WordPieceTrainer, several vocabularies;
#   with BpeTrainer one. WordPieceTrainer numbers characters within words (##a) as it meets them in
#   a hash table with a seed of its own in each process, and of pairs that occur equally often it
#   merges the one with the lower numbers first. It has no option for a seed.
#
# Needs Python 3.11 or later and a package index; takes less than a minute. Exits with 1 when
# something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tokenizers==0.23.2

cat >"$folder/train.py" <<'PYTHON'
import hashlib
import json
import random
import sys

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

draw = random.Random(0)
texts = [
    " ".join("".join(draw.choices("abcdefgh", k=draw.randint(2, 7))) for _ in range(12))
    for _ in range(400)
]
kinds = {
    "WordPiece": (models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer),
    "BPE": (models.BPE(unk_token="[UNK]"), trainers.BpeTrainer),
}
model, trainer = kinds[sys.argv[1]]
tokenizer = Tokenizer(model)
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
options = {"vocab_size": 300, "special_tokens": ["[UNK]"], "show_progress": False}
tokenizer.train_from_iterator(texts, trainer(**options))
vocabulary = json.dumps(sorted(tokenizer.get_vocab().items()))
print(hashlib.sha256(vocabulary.encode()).hexdigest()[:12])
PYTHON

"$folder/venv/bin/python" -c 'import tokenizers; print("tokenizers", tokenizers.__version__)'
for kind in WordPiece BPE; do
    for _ in 1 2 3 4 5 6; do "$folder/venv/bin/python" "$folder/train.py" "$kind"; done \
        >"$folder/$kind"
    echo "$kind: $(sort -u "$folder/$kind" | wc -l) vocabularies in six processes"
done
[ "$(sort -u "$folder/WordPiece" | wc -l)" -gt 1 ] && [ "$(sort -u "$folder/BPE" | wc -l)" -eq 1 ]
