#!/usr/bin/env bash
# A folder that timm writes for the hub is not loaded by the wrapper of transformers made for timm.
#
# Expected: timm's save_for_hf(model, folder) and AutoModelForImageClassification.from_pretrained
#   (folder), which names timm_wrapper among its models, go together.
# Observed with timm 1.0.31 and transformers 5.24.0: TypeError, "got multiple values for keyword
#   argument 'num_classes'", for every network with a classifier. timm 1.0.31 writes num_classes twice,
#   as a field of config.json and in its model_args, and the wrapper passes both on. timm itself loads
#   the folder. Without num_classes in model_args transformers loads it too, to the same logits.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 HF_HOME="$folder/hf" OMP_NUM_THREADS=1

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 torchvision==0.29.2 numpy==2.4.6 safetensors==0.8.0 tokenizers==0.23.3 \
    transformers==5.24.0 timm==1.0.31

cat >"$folder/load.py" <<'PYTHON'
import json
import sys
from pathlib import Path

import timm
import torch
import transformers
from timm.models import save_for_hf

print(f"timm {timm.__version__}, transformers {transformers.__version__}")
folder = Path(sys.argv[1])
torch.manual_seed(0)
model = timm.create_model("resnet10t", num_classes=5).eval()
save_for_hf(model, str(folder))
config = json.loads((folder / "config.json").read_text())
print("config.json: num_classes", config["num_classes"], "model_args", config["model_args"])
images = torch.randn(2, 3, 64, 64)


def load():
    return transformers.AutoModelForImageClassification.from_pretrained(folder).eval()


try:
    load()
    refused = False
except TypeError as error:
    refused = "multiple values for keyword argument 'num_classes'" in str(error)
    print("transformers:", error)

again = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
config["model_args"].pop("num_classes", None)
(folder / "config.json").write_text(json.dumps(config))
with torch.no_grad():
    truth = model(images)
    by_timm = (again(images) - truth).abs().max().item()
    mended = (load()(images).logits - truth).abs().max().item()
print(f"largest difference: timm {by_timm:.1e}, transformers without the second {mended:.1e}")
sys.exit(0 if refused and by_timm < 1e-5 and mended < 1e-5 else 1)
PYTHON

"$folder/venv/bin/python" "$folder/load.py" "$folder/model"
