"""Boosted trees as a network over encoded rows: plain tensors, so that no pickle is needed.

The file has the trees one after the other, each as its nodes from the root on:

feature      ``[nodes]``: column of ``numeric`` and then ``categorical``
threshold    ``[nodes]``: values up to it go left, where ``categories`` is -1
categories   ``[nodes]``: row of ``goes_left`` that decides in place of the threshold
branches     ``[nodes, 2]``: left and right; a leaf leads to itself
value        ``[nodes]``: what a leaf adds
goes_left    ``[splits, codes]``: codes of a category that go left; higher ones as the last
roots        ``[trees]``
output       ``[trees]``: the output that a tree adds to
start        ``[outputs]``: the outputs without a tree, -inf for a class that was never seen
columns      ``[1]``: number of columns
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn

from engine.files import atomic

TREES = "trees.safetensors"
_TYPES = {
    "feature": torch.int64, "threshold": torch.float64, "categories": torch.int64,
    "branches": torch.int64, "value": torch.float64, "goes_left": torch.bool,
    "roots": torch.int64, "output": torch.int64, "start": torch.float64, "columns": torch.int64,
}  # fmt: skip
_DIMENSIONS = {"branches": 2, "goes_left": 2}
Floats = NDArray[np.float64]


class BoostedTrees(nn.Module):
    """Sum of trees: logits of classes, or a standardised number."""

    feature: Tensor
    threshold: Tensor
    categories: Tensor
    branches: Tensor
    value: Tensor
    goes_left: Tensor
    roots: Tensor
    output: Tensor
    start: Tensor
    columns: Tensor

    def __init__(self, parts: Mapping[str, Tensor]) -> None:
        """Raise ``ValueError`` where ``parts`` are not those of trees."""
        super().__init__()
        _check(parts)
        for name in _TYPES:
            self.register_buffer(name, parts[name])
        self._nodes = _nodes(parts)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return ``[rows, outputs]`` in float64 from the inputs of a network over tables, on a CPU.

        Rows of a batch are divided among the leaves, so large batches take less time a row.
        """
        parts = [inputs[name].numpy() for name in ("numeric", "categorical")]
        return torch.from_numpy(self.sums(np.concatenate(parts, axis=1, dtype=np.float64)))

    def sums(self, rows: Floats) -> Floats:
        """Return ``[rows, outputs]`` of rows ``[rows, columns]``, numbers before codes."""
        columns = np.ascontiguousarray(rows.T)
        if len(columns) != self.columns.item():
            raise ValueError(f"the trees take {self.columns.item()} columns, not {len(columns)}")
        sums = self.start.numpy()[:, None].repeat(len(rows), 1)
        for root, output in zip(self.roots.tolist(), self.output.tolist(), strict=True):
            self._add_tree(root, columns, sums[output])
        return np.ascontiguousarray(sums.T)

    def _add_tree(self, root: int, columns: Floats, sums: Floats) -> None:
        """Add the values of a tree's leaves to the rows that reach them."""
        waiting = [(root, np.arange(len(sums)))]
        while waiting:
            place, rows = waiting.pop()
            node = self._nodes[place]
            if node.left == place:
                sums[rows] += node.value
                continue
            values = columns[node.feature][rows]
            if node.codes is None:
                left = values <= node.threshold
            else:
                left = node.codes[values.astype(np.int64).clip(0, len(node.codes) - 1)]
            for child, own in ((node.left, rows[left]), (node.right, rows[~left])):
                if len(own):
                    waiting.append((child, own))


@dataclass(frozen=True, slots=True)
class _Node:
    """A node; a leaf is on its own left."""

    feature: int
    threshold: float
    codes: NDArray[np.bool_] | None
    """Codes that go left; ``None`` where the threshold decides."""
    left: int
    right: int
    value: float


def _nodes(parts: Mapping[str, Tensor]) -> list[_Node]:
    codes = parts["goes_left"].numpy()
    names = ("feature", "threshold", "categories", "branches", "value")
    return [
        _Node(feature, threshold, codes[split] if split >= 0 else None, left, right, value)
        for feature, threshold, split, (left, right), value in zip(
            *(parts[name].tolist() for name in names), strict=True
        )
    ]


def save_trees(trees: BoostedTrees, path: Path) -> None:
    """Write the file, whole or not at all. Raises ``OSError``."""
    atomic.write_bytes(path, save({name: getattr(trees, name) for name in _TYPES}))


def load_trees(path: Path) -> BoostedTrees:
    """Read the file. Raises ``OSError``, ``SafetensorError``, and ``ValueError`` for other ones."""
    return BoostedTrees(load_file(path))


def _check(parts: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError`` for parts that would lead outside of them, or nowhere."""
    for name, kind in _TYPES.items():
        part = parts.get(name)
        if part is None or part.dtype != kind or part.ndim != _DIMENSIONS.get(name, 1):
            raise ValueError(f"the trees have no {name} as they should")
    nodes = len(parts["feature"])
    same = ("threshold", "categories", "value", "branches")
    if any(len(parts[name]) != nodes for name in same) or len(parts["columns"]) != 1:
        raise ValueError("the parts of the trees differ in length")
    if parts["branches"].shape[1] != 2 or len(parts["output"]) != len(parts["roots"]):
        raise ValueError("the trees have branches or outputs of another shape")
    splits, codes = parts["goes_left"].shape
    within = {
        "feature": (0, int(parts["columns"])), "categories": (-1, splits),
        "branches": (0, nodes), "roots": (0, nodes), "output": (0, len(parts["start"])),
    }  # fmt: skip
    for name, (low, end) in within.items():
        if ((parts[name] < low) | (parts[name] >= end)).any():
            raise ValueError(f"the trees have a {name} that does not exist")
    if splits and not codes:
        raise ValueError("the trees have splits without a code")
    own = torch.arange(nodes)[:, None]
    back = parts["branches"] <= own
    leaf = (parts["branches"] == own).all(1, keepdim=True)
    if (back & ~leaf).any():
        raise ValueError("a tree leads back to an earlier node")
