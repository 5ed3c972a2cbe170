#!/usr/bin/env bash
# encode_document of sentence-transformers leaves out a prompt that a model calls "passage".
#
# Expected: encode_document takes the first prompt that a model has of "document", "passage" and
#   "corpus", as its documentation says; a model with the prompts "query" and "passage" embeds its
#   passages behind "passage: ".
# Observed (sentence-transformers 5.2.0 and 6.2.0): every model gets an empty prompt "document", which
#   is found first. Passages are embedded without a prompt, queries with theirs; nothing is logged.
#   encode(…, prompt_name="passage") takes the prompt.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 HF_HOME="$folder/hf" OMP_NUM_THREADS=1

"${PYTHON:-python3}" -m venv "$folder/venv"
pip=("$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check)

cat >"$folder/observe.py" <<'PYTHON'
import json
import sys
from pathlib import Path

import numpy as np
import sentence_transformers
import torch
import transformers

print(f"sentence-transformers {sentence_transformers.__version__}")
folder = Path(sys.argv[1])
folder.mkdir()
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", "passage", ":", "an", "apple"]
(folder / "vocab.txt").write_text("\n".join(words))
tokenizer = transformers.BertTokenizerFast(
    **{"vocab": {word: number for number, word in enumerate(words)}}
    if int(transformers.__version__.split(".")[0]) > 4
    else {"vocab_file": str(folder / "vocab.txt")}
)
tokenizer.save_pretrained(folder)
torch.manual_seed(0)
config = transformers.BertConfig(
    vocab_size=len(words), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
    num_attention_heads=2, initializer_range=0.5,
)
transformers.BertModel(config).save_pretrained(folder)
kinds = {"": "Transformer", "1_Pooling": "Pooling"}
(folder / "modules.json").write_text(json.dumps([
    {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
    for n, (path, kind) in enumerate(kinds.items())
]))
(folder / "1_Pooling").mkdir()
pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True}
(folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
prompts = {"query": "query: ", "passage": "passage: "}
(folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
model = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
print(f"  prompts: {model.prompts}")


def close(one, other):
    return bool(np.allclose(one, other, atol=1e-5))


found = {
    "encode_query takes the prompt query": close(
        model.encode_query(["an apple"]), model.encode(["query: an apple"])
    ),
    "encode_document takes the prompt passage": close(
        model.encode_document(["an apple"]), model.encode(["passage: an apple"])
    ),
    "encode_document takes no prompt": close(
        model.encode_document(["an apple"]), model.encode(["an apple"])
    ),
    'encode(…, prompt_name="passage") does': close(
        model.encode(["an apple"], prompt_name="passage"), model.encode(["passage: an apple"])
    ),
}
for what, seen in found.items():
    print(f"  {what}: {seen}")
sys.exit(list(found.values()) != [True, False, True, True])
PYTHON

status=0
observe() { # sentence-transformers, transformers
    "${pip[@]}" torch==2.11.0 "sentence-transformers==$1" "transformers==$2"
    "$folder/venv/bin/python" "$folder/observe.py" "$folder/model-$1" \
        2>"$folder/log" || { status=1; tail -5 "$folder/log"; }
}
observe 5.2.0 4.57.3
observe 6.2.0 5.24.0

if [ "$status" = 0 ]; then
    echo "As written above."
else
    echo "Not as written above."
fi
exit "$status"
