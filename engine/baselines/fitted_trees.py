"""The trees of scikit-learn's histogram gradient boosting, as plain tensors.

scikit-learn saves them by pickle alone, and its public interface does not show them: the private
names that are read are all here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.models.tables.boosted_trees import BoostedTrees

_BITS = 32
UNKNOWN = (AttributeError, LookupError, TypeError, ValueError)
"""Errors of :func:`fitted_trees` where the private parts are others than those known here."""


def fitted_trees(model: Any, classes: int | None) -> BoostedTrees:
    """Return the trees of a fitted ``HistGradientBoosting…``.

    ``classes`` is their number, of which the model may not have seen all, or ``None`` for numbers.
    Raises :data:`UNKNOWN` for a version of scikit-learn with other private parts.
    """
    places, known = _column_places(model), _code_places(model)
    output_of, start = _outputs(model, classes)
    nodes: dict[str, list[Any]] = {name: [] for name in _PER_NODE}
    goes_left: list[NDArray[np.bool_]] = []
    roots, outputs, begin = [], [], 0
    for round_ in model._predictors:
        for output, tree in zip(output_of, round_, strict=True):
            own, sets = _nodes_of(tree, places, known)
            own["categories"] = np.where(
                own["categories"] < 0, -1, own["categories"] + len(goes_left)
            )
            own["branches"] = own["branches"] + begin
            for name, values in own.items():
                nodes[name].append(values)
            goes_left += sets
            roots.append(begin)
            outputs.append(output)
            begin += len(tree.nodes)
    found: dict[str, Tensor] = {
        name: torch.from_numpy(np.concatenate(arrays).astype(_PER_NODE[name]))
        for name, arrays in nodes.items()
    }
    return BoostedTrees(found | {
        "goes_left": _padded(goes_left), "roots": torch.tensor(roots),
        "output": torch.tensor(outputs), "start": start, "columns": torch.tensor([len(places)]),
    })  # fmt: skip


def _nodes_of(
    tree: Any, places: NDArray[np.int64], known: list[NDArray[np.int64]]
) -> tuple[dict[str, NDArray[Any]], list[NDArray[np.bool_]]]:
    """Return the nodes of a tree, counted from 0, and the codes that go left at each set of them.

    A leaf leads to itself; ``categories`` is the number of a node's set, -1 for none.
    """
    nodes = tree.nodes
    leaf = nodes["is_leaf"].astype(bool)
    by_code = nodes["is_categorical"].astype(bool) & ~leaf
    categories = np.full(len(nodes), -1)
    goes_left: list[NDArray[np.bool_]] = []
    for node in np.flatnonzero(by_code):
        categories[node] = len(goes_left)
        bits = tree.raw_left_cat_bitsets[nodes["bitset_idx"][node]]
        missing_left = bool(nodes["missing_go_to_left"][node])
        goes_left.append(_codes_to_left(bits, known[int(nodes["feature_idx"][node])], missing_left))
    itself = np.arange(len(nodes))
    branches = [np.where(leaf, itself, nodes[side]) for side in ("left", "right")]
    return {
        "feature": places[np.where(leaf, 0, nodes["feature_idx"])],
        "threshold": np.where(leaf | by_code, np.inf, nodes["num_threshold"]),
        "categories": categories,
        "branches": np.stack(branches, 1).astype(np.int64),
        "value": nodes["value"],
    }, goes_left  # fmt: skip


_PER_NODE = {
    "feature": np.int64, "threshold": np.float64, "categories": np.int64, "branches": np.int64,
    "value": np.float64,
}  # fmt: skip


def _outputs(model: Any, classes: int | None) -> tuple[list[int], Tensor]:
    """Return the output of each tree of a round, and the outputs without a tree."""
    baseline = np.asarray(model._baseline_prediction, np.float64).ravel()
    if classes is None:
        return [0], torch.from_numpy(baseline)
    seen = [int(each) for each in model.classes_]
    start = torch.full((classes,), -torch.inf, dtype=torch.float64)
    if len(seen) == 2:  # one tree a round: the logit of the second class beside the first's of 0
        start[seen] = torch.tensor([0.0, float(baseline[0])], dtype=torch.float64)
        return [seen[1]], start
    start[seen] = torch.from_numpy(baseline)
    return seen, start


def _column_places(model: Any) -> NDArray[np.int64]:
    """Return the place in the inputs of each column of the trees: they put categories first."""
    if model.is_categorical_ is None:
        return np.arange(model.n_features_in_)
    by_code = np.asarray(model.is_categorical_, bool)
    return np.concatenate([np.flatnonzero(by_code), np.flatnonzero(~by_code)])


def _code_places(model: Any) -> list[NDArray[np.int64]]:
    """Return for each categorical column the place of every code among those seen, -1 for none."""
    if model._preprocessor is None:
        return []
    found = []
    for seen in model._preprocessor.named_transformers_["encoder"].categories_:
        codes = np.asarray(seen).astype(np.int64)
        places = np.full(int(codes.max()) + 2, -1)  # one more for all that are higher
        places[codes] = np.arange(len(codes))
        found.append(places)
    return found


def _codes_to_left(
    bits: NDArray[np.uint32], places: NDArray[np.int64], missing_left: bool
) -> NDArray[np.bool_]:
    """Return which codes go left: those in the set, and unknown ones with the missing values."""
    safe = np.maximum(places, 0)
    inside = (bits[safe // _BITS] >> (safe % _BITS).astype(np.uint32)) & 1
    return np.where(places < 0, missing_left, inside.astype(bool))


def _padded(rows: list[NDArray[np.bool_]]) -> Tensor:
    """Return rows of one length; codes beyond a row go where its last one does."""
    if not rows:
        return torch.zeros((0, 1), dtype=torch.bool)
    width = max(map(len, rows))
    return torch.from_numpy(np.stack([np.pad(row, (0, width - len(row)), "edge") for row in rows]))
