#!/usr/bin/env bash
# An update that GradScaler skips leaves NaN in the statistics of batch norms, for good.
#
# Expected: where gradients are not finite, "optimizer.step() is skipped to avoid corrupting the
#   params" (GradScaler.step), so that one batch that overflows in float16 does no harm.
# Observed with torch 2.15.0: the forward pass of that batch has already put NaN into the running mean
#   and variance of a batch norm, where all later batches are averaged in. Training goes by the
#   statistics of each batch and continues with falling losses; every output in evaluation mode is
#   NaN from there on.
#
# Needs Python 3.11 or later, 6 GB of disk (torch with its CUDA libraries; it runs on the CPU) and a
# package index; takes some minutes. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMP_NUM_THREADS=1 CUDA_VISIBLE_DEVICES=

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.15.0 numpy==2.4.6

cat >"$folder/overflow.py" <<'PYTHON'
import torch
from torch import nn

torch.manual_seed(0)
network = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
inputs = torch.randn(200, 32, 4)
targets = inputs.sum(2, keepdim=True)
inputs[10, 0] = 1e6  # one odd row in one of 200 batches: float16 ends at 65504

losses, skipped = [], []
for number, (batch, wanted) in enumerate(zip(inputs, targets)):
    before, scale = network[0].weight.detach().clone(), scaler.get_scale()
    with torch.autocast("cpu", torch.float16):
        loss = nn.functional.mse_loss(network(batch).float(), wanted)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    losses.append(loss.item())
    if scaler.get_scale() < scale:
        assert torch.equal(before, network[0].weight)
        skipped.append(number)

network.eval()
with torch.no_grad():
    outputs = network(inputs[0])
weights = all(bool(part.isfinite().all()) for part in network.parameters())
print(f"torch {torch.__version__}")
print(f"updates that were skipped: {skipped}")
print(f"loss of the first and the last ten batches: {sum(losses[:10]) / 10:.2f}, "
      f"{sum(losses[-10:]) / 10:.2f}; all weights are finite: {weights}")
print(f"running mean {network[1].running_mean[0].item()}, "
      f"running variance {network[1].running_var[0].item()} 190 batches later")
print(f"outputs in evaluation mode that are NaN: {int(outputs.isnan().sum())} of {len(outputs)}")
right = weights and skipped == [10] and losses[-1] < losses[0]
raise SystemExit(not (right and bool(outputs.isnan().all())))
PYTHON

"$folder/venv/bin/python" "$folder/overflow.py"
