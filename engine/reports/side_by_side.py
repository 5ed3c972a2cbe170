"""Texts of a network beside those that it gave to the same inputs before it was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.reports.views import Texts, View

Item = Mapping[str, str]


def beside_earlier(views: Sequence[View], earlier: Sequence[View]) -> list[View]:
    """Return ``views`` with the answers of ``earlier`` ones of the same title in their texts."""
    before = {view.title: view.items for view in earlier if isinstance(view, Texts)}
    return [
        Texts(view.title, items_beside(view.items, before.get(view.title, ())))
        if isinstance(view, Texts)
        else view
        for view in views
    ]


def items_beside(items: Sequence[Item], earlier: Sequence[Item]) -> list[dict[str, str]]:
    """Return items with the base model's answer to the same input before their own answer.

    The first text of an item is its input, the second the answer.
    """
    answers = {given: answer for given, answer, *_ in map(_texts, earlier)}
    return [_joined(item, answers.get(_texts(item)[0])) for item in items]


def _joined(item: Item, answer: str | None) -> dict[str, str]:
    if answer is None:
        return dict(item)
    (name, given), *rest = item.items()
    return {name: given, "base model": answer, **dict(rest)}


def _texts(item: Item) -> tuple[str, ...]:
    return (*item.values(), "", "")
