"""Free texts and ids as what they say of the target, by rows of other folds alone.

A column of many different values becomes a few numbers: the scores of a ridge regression on its
hashed words, or on the ids themselves, which is their mean target shrunk towards that of all rows.
A row belongs to a fold by the hash of its inputs, and its scores are those of a regression on the
rows of the other folds: no training row sees its own target, and later rows are treated alike.
Texts also have the leading dimensions of their words (latent semantic analysis).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.data.tables.hashed import BUCKETS, Sparse, hashed, rarity_of, weighted
from engine.data.tables.row_hashes import row_hashes
from engine.data.tables.schema import Column, ScoredColumn, ScoredKind
from engine.data.tables.values import texts
from engine.processes.later import Later

linear_model, decomposition = Later("sklearn.linear_model"), Later("sklearn.decomposition")

FOLDS = 5
_DIMENSIONS = 16
"""Leading dimensions of texts."""
_SHRINKAGE = {"text": 1.0, "id": 10.0}
"""Weight of the ridge penalty; of ids, the rows that the mean of all rows counts as."""

Floats = NDArray[np.float64]


def folds_of(
    numbers: NDArray[np.float32], codes: NDArray[np.int64], cells: pa.Table
) -> NDArray[np.int64]:
    """Return the fold of each row by its inputs: encoded numbers and codes, and other ``cells``."""
    inputs = {f"number {i}": pa.array(column) for i, column in enumerate(numbers.T)}
    inputs |= {f"code {i}": pa.array(column) for i, column in enumerate(codes.T)}
    named = {f"cell {name}": texts(cells[name], True) for name in cells.column_names}
    return (row_hashes(pa.table(inputs | named)) % FOLDS).astype(np.int64)


def fit_scores(
    column: Column,
    values: pa.ChunkedArray,
    folds: NDArray[np.integer],
    targets: Mapping[str, Floats],
) -> ScoredColumn:
    """Learn the scores of a column, for targets of mean 0 by name."""
    kind: ScoredKind = "id" if column.type == "id" else "text"
    counts = hashed(kind, texts(values, True).to_pylist())
    rarity = rarity_of(counts).astype(np.float16)
    matrix = counts if kind == "id" else weighted(counts, rarity)
    wanted = np.stack(list(targets.values()), 1)
    weights = np.zeros((FOLDS, BUCKETS[kind], len(targets)), np.float16)
    for fold in range(FOLDS):
        others = folds != fold
        if others.any():
            ridge = linear_model.Ridge(
                _SHRINKAGE[kind], fit_intercept=False, solver="sparse_cg", tol=1e-3
            )
            coefficients = ridge.fit(matrix[others], wanted[others]).coef_
            weights[fold] = coefficients.reshape(len(targets), -1).T
    dimensions = _dimensions(matrix) if kind == "text" else b""
    return ScoredColumn(
        column=column.name, kind=kind, targets=list(targets), weights=weights.tobytes(),
        rarity=rarity.tobytes() if kind == "text" else b"", dimensions=dimensions,
    )  # fmt: skip


def _dimensions(matrix: Sparse) -> bytes:
    """Return the ``[buckets, dimensions]`` directions in which texts differ the most."""
    count = min(_DIMENSIONS, matrix.shape[0] - 1)
    if count < 1 or not matrix.nnz:
        return b""
    components = decomposition.TruncatedSVD(count, random_state=0).fit(matrix).components_
    return bytes(components.T.astype(np.float16).tobytes())


def scored_parts(
    scored: ScoredColumn, values: pa.ChunkedArray, folds: NDArray[np.integer]
) -> dict[str, Floats]:
    """Return the numbers of a column by the name of the part."""
    counts = hashed(scored.kind, texts(values, True).to_pylist())
    buckets, matrix = counts.shape[1], counts
    if scored.kind == "text":
        matrix = weighted(counts, np.frombuffer(scored.rarity, np.float16))
    weights = _matrix(scored.weights, (FOLDS, buckets, len(scored.targets)))
    scores = np.zeros((len(folds), len(scored.targets)))
    for fold in range(FOLDS):
        mine = folds == fold
        scores[mine] = matrix[mine] @ weights[fold]
    parts = {f"score {name}": own for name, own in zip(scored.targets, scores.T, strict=True)}
    if scored.dimensions:
        spread = matrix @ _matrix(scored.dimensions, (buckets, -1))
        parts |= {f"dimension {i + 1}": column for i, column in enumerate(spread.T)}
    return parts


def _matrix(written: bytes, shape: Sequence[int]) -> Floats:
    return np.frombuffer(written, np.float16).reshape(shape).astype(np.float64)
