#!/usr/bin/env bash
# transformers' from_pretrained, given the folder of an adapter, leaves trained weights out.
#
# Expected: AutoModelForSequenceClassification.from_pretrained(folder that peft wrote) answers as
#   the network that was saved, or raises. PeftModel.from_pretrained does in every version here.
# Observed: it logs a table of MISSING and UNEXPECTED names, raises nothing and answers otherwise.
#   transformers 5.17.0, peft 0.19.1 (the least that it asks for): every weight of BERT's adapter
#   transformers 5.17.0, peft 0.20.0: a head saved whole (modules_to_save), DoRA's magnitudes
#   transformers 5.18.0, peft 0.20.0: DoRA's magnitudes
#   transformers 5.24.0, peft 0.21.2: DoRA's magnitudes
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 HF_HOME="$folder/hf" OMP_NUM_THREADS=1

"${PYTHON:-python3}" -m venv "$folder/venv"
pip=("$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check)
"${pip[@]}" torch==2.11.0 numpy==2.4.6 safetensors==0.8.0 tokenizers==0.23.2 \
    huggingface_hub==1.33.0 accelerate==1.15.0 transformers==5.17.0 peft==0.19.1

cat >"$folder/observe.py" <<'PYTHON'
import sys
import tempfile
from pathlib import Path

import peft
import torch
import transformers

AUTO = transformers.AutoModelForSequenceClassification
ADAPTERS = {
    "LoRA": {},
    "LoRA and head": {"modules_to_save": ["classifier"]},
    "DoRA": {"use_dora": True},
}
EXPECTED = dict(zip(ADAPTERS, map(int, sys.argv[1:]), strict=True))


def answers(network):
    with torch.no_grad():
        return network.eval()(input_ids=torch.arange(20).reshape(2, 10)).logits


def distance(one, other):
    return (answers(one) - answers(other)).abs().max().item()


print(f"transformers {transformers.__version__}, peft {peft.__version__}, torch {torch.__version__}")
torch.manual_seed(0)
folder = Path(tempfile.mkdtemp(dir=Path(__file__).parent))
config = transformers.BertConfig(
    vocab_size=100, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=2, initializer_range=0.3,
)
AUTO.from_config(config).save_pretrained(folder / "base")
same = True
for name, options in ADAPTERS.items():
    lora = peft.LoraConfig(r=4, target_modules=["query", "value"], **options)
    trained = peft.get_peft_model(AUTO.from_pretrained(folder / "base"), lora)
    for parameter in trained.parameters():
        if parameter.requires_grad:  # as training would
            parameter.data += 0.3 * torch.randn_like(parameter)
    trained.save_pretrained(folder / name)
    through_peft = peft.PeftModel.from_pretrained(
        AUTO.from_pretrained(folder / "base"), folder / name
    )
    alone, told = AUTO.from_pretrained(folder / name, output_loading_info=True)
    left_out = len(told["missing_keys"])
    by_peft, by_transformers = distance(through_peft, trained), distance(alone, trained)
    print(
        f"  {name:<14} answers differ by {by_peft:.4f} through PeftModel, by "
        f"{by_transformers:.4f} through transformers, which left out {left_out:2} weights"
    )
    same &= left_out == EXPECTED[name] and by_peft < 1e-5
    same &= (by_transformers > 1e-2) == (EXPECTED[name] > 0)
sys.exit(not same)
PYTHON

status=0
observe() { # transformers, peft, weights left out of LoRA, of LoRA and head, of DoRA
    local place="$folder/transformers-$1-peft-$2"
    "${pip[@]}" --no-deps --target "$place" "transformers==$1" "peft==$2"
    PYTHONPATH="$place" "$folder/venv/bin/python" "$folder/observe.py" "${@:3}" \
        2>"$folder/log" || { status=1; tail -5 "$folder/log"; }
}
observe 5.17.0 0.19.1 8 10 12
observe 5.17.0 0.20.0 0 2 4
observe 5.18.0 0.20.0 0 0 4
observe 5.24.0 0.21.2 0 0 4

if [ "$status" = 0 ]; then
    echo "As written above."
else
    echo "Not as written above."
fi
exit "$status"
