#!/usr/bin/env bash
# transformers computes Gemma 2 without the soft-capping of its attention, unless asked for "eager".
#
# Expected: AutoModelForCausalLM.from_pretrained(folder) of a Gemma 2 limits the attention scores by
#   attn_logit_softcapping, as its config says, or refuses an attention that cannot.
# Observed with transformers 5.20.0, and 5.17.0: it takes "sdpa", which has no soft-capping, and warns
#   of nothing. Its logits are those of the same weights with attn_logit_softcapping=None, to rounding.
#   attn_implementation="eager" computes what the config says. So training, evaluation and generation
#   are of another network than the one that was trained with soft-capping.
# From transformers 5.21.0 on, "eager" is the default for this model, and "sdpa" is refused.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 HF_HOME="$folder/hf" OMP_NUM_THREADS=1 TQDM_DISABLE=1

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6 safetensors==0.8.0 tokenizers==0.23.3 transformers==5.20.0

cat >"$folder/capping.py" <<'PYTHON'
import io
import logging
import sys
import warnings
from importlib.metadata import version

import torch
import transformers

heard = io.StringIO()
logging.getLogger("transformers").addHandler(logging.StreamHandler(heard))
warnings.showwarning = lambda message, *rest: heard.write(f"{message}\n")
warnings.simplefilter("always")

folder = sys.argv[1]
torch.manual_seed(0)
transformers.Gemma2ForCausalLM(transformers.Gemma2Config(
    vocab_size=64, hidden_size=64, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, head_dim=16, query_pre_attn_scalar=16,
    initializer_range=0.5, attn_logit_softcapping=2.0, final_logit_softcapping=None,
)).save_pretrained(folder)
ids = torch.arange(40)[None]


@torch.no_grad()
def logits(**options):
    network = transformers.AutoModelForCausalLM.from_pretrained(folder, **options).eval()
    return network(ids).logits, network.config._attn_implementation


heard.truncate(0)
default, taken = logits()
warned = "soft" in heard.getvalue().lower() or "capping" in heard.getvalue().lower()
capped, _ = logits(attn_implementation="eager")
config = transformers.AutoConfig.from_pretrained(folder)
config.attn_logit_softcapping = None
bare, _ = logits(config=config, attn_implementation="eager")


def apart(one, other):
    return float((one - other).abs().max())


print("transformers", version("transformers"), "torch", version("torch"))
print(f"attention by default: {taken}; a warning that names soft-capping: {warned}")
print(f"largest difference of logits, default and eager:                    {apart(default, capped):.6f}")
print(f"largest difference of logits, default and eager without capping:    {apart(default, bare):.6f}")
print(f"largest difference of logits, eager and eager without capping:      {apart(capped, bare):.6f}")
seen = (
    taken == "sdpa" and not warned and apart(default, bare) < 1e-3 and apart(default, capped) > 1
    and apart(capped, bare) > 1
)
print("as described" if seen else "NOT as described")
sys.exit(not seen)
PYTHON
"$folder/venv/bin/python" "$folder/capping.py" "$folder/model"
