"""The places of a table's columns among the inputs of a network."""

from __future__ import annotations

from engine.data.tables.schema import Features
from engine.metrics.tables.importance import Places


def column_places(features: Features) -> dict[str, Places]:
    """Return each column's positions among the network's inputs."""
    places: dict[str, dict[str, list[int]]] = {}
    for kind, names in (
        ("numeric", [feature.column for feature in features.numeric]),
        ("categorical", [feature.column for feature in features.categorical]),
    ):
        for i, name in enumerate(names):
            places.setdefault(name, {}).setdefault(kind, []).append(i)
    return dict(places)
