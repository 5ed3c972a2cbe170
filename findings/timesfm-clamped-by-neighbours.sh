#!/usr/bin/env bash
# TimesFM 2.5 in transformers forecasts a series otherwise when another one is in its batch.
#
# Expected: a forecast depends on its own series. The configuration's default infer_is_positive=True
#   cuts the forecast of a series that was never negative off at zero.
# Observed with transformers 5.24.0: forward() takes the smallest value of all series of the batch
#   and cuts all forecasts off, or none. A series without negative values, whose forecast is cut off
#   at zero alone, is forecast below zero beside a series that has one negative value; the other
#   series' forecast does not change. So the errors of an evaluation depend on the size and the order of its batches.
#   truncate_negative=False avoids it.
#
# A small network with random weights shows it: only whether two calls give the same is compared.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 HF_HOME="$folder/hf" OMP_NUM_THREADS=1

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6 transformers==5.24.0

cat >"$folder/forecast.py" <<'PYTHON'
from importlib.metadata import version

import torch
from transformers import TimesFm2_5Config, TimesFm2_5ModelForPrediction

torch.manual_seed(0)
network = TimesFm2_5ModelForPrediction(TimesFm2_5Config(
    patch_length=16, context_length=256, horizon_length=16, output_quantile_len=16,
    num_hidden_layers=1, hidden_size=32, intermediate_size=32, head_dim=8,
    num_attention_heads=4, num_key_value_heads=4, initializer_range=0.3,
)).eval()
hours = torch.arange(64.0)
sales = (torch.sin(hours / 3) + 1).clamp(min=0)  # never negative, often near zero
degrees = torch.cos(hours / 5) * 4  # below zero at times


@torch.no_grad()
def forecast(series, **options):
    return network(series, **options).full_predictions


def row(name, values):
    print(f"{name:46} lowest {float(values.min()):8.4f}  sum {float(values.sum()):9.4f}")
    return values


print(f"transformers {version('transformers')}, torch {version('torch')}")
own = {"forecast_context_len": 64}
alone = row("sales alone", forecast([sales], **own)[0])
beside = row("sales beside degrees", forecast([sales, degrees], **own)[0])
others = row("degrees beside sales", forecast([sales, degrees], **own)[1])
other = row("degrees alone", forecast([degrees], **own)[0])
free = {"truncate_negative": False} | own
row("sales alone, truncate_negative=False", forecast([sales], **free)[0])
uncut = forecast([sales], **free)[0]
paired = forecast([sales, degrees], **free)[0]

same = float(alone.min()) == 0.0 and float(beside.min()) < 0.0
same &= torch.allclose(others, other, atol=1e-5)
same &= torch.allclose(uncut, paired, atol=1e-5) and torch.allclose(beside, uncut, atol=1e-5)
raise SystemExit(not same)
PYTHON

"$folder/venv/bin/python" "$folder/forecast.py"
