"""Trees of messages, as OpenAssistant publishes them: each answers the one that it names.

They are flat, a message a row with ``message_id`` and ``parent_id``, or nested, a tree a row with
``replies``. Several assistants answered each question; people ranked their answers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from engine.config.data.base import DataConfig
from engine.data.on_disk import in_windows
from engine.data.raw import RawData
from engine.data.written_value import written_value
from engine.errors import DataError
from engine.reports.counted import counted
from engine.reports.note import Note
from engine.text.chat.turns import ASSISTANT, USER, Turn

TREE = "message_tree_id"
"""The column that names the tree of a row; rows of one tree belong into one split."""
_FLAT = ("message_id", "parent_id", "role", "text")
_NESTED, _REPLIES = ("prompt", "root", "tree"), "replies"
_SIDES = {"prompter": USER, "user": USER, "human": USER, "assistant": ASSISTANT}
_LOOKED_AT = 20
_UNRANKED = float("inf")


@dataclass
class _Message:
    """A message with the answers to it."""

    role: str
    text: str
    rank: float
    tree: str
    replies: list[_Message] = field(default_factory=list)

    @property
    def answers(self) -> list[_Message]:
        """The assistants' replies, the best first."""
        found = [reply for reply in self.replies if reply.role == ASSISTANT]
        return sorted(found, key=lambda reply: reply.rank)


@dataclass
class _Forest:
    """The trees of a split, and the number of messages that are in none of them."""

    roots: list[_Message]
    lost: int = 0
    """Messages that are deleted, of another role, or without the one that they answer."""


def holds_trees(table: pa.Table) -> bool:
    """Return whether the rows are messages that name their parents, or trees of them."""
    return set(_FLAT) <= set(table.column_names) or _nested_column(table) is not None


def by_tree(data: DataConfig) -> DataConfig:
    """Return settings by which all rows of a tree are in one split, unless others say otherwise."""
    return data if data.group or data.time else data.model_copy(update={"group": TREE})


def tree_conversations(raw: RawData) -> RawData:
    """Return conversations along the best answers, which are each learned once.

    Where several questions follow one answer, each makes a conversation of its own.
    """
    splits, notes = {}, []
    for split, table in raw.splits.items():
        forest = _forest(table)
        rows = [row for root in forest.roots for row in _conversations(root)]
        used = sum(turn["weight"] for row in rows for turn in row["messages"])
        all_answers = sum(_answer_count(root) for root in forest.roots)
        kept, left = f"{counted(len(rows), 'conversation')} along the best answers", []
        if more := all_answers - used:
            left.append(f"{counted(more, 'other answer')}")
        splits[split], found = _table(split, rows, ("messages",), forest, kept, left)
        notes += found
    return _checked(raw, splits, notes)


def tree_comparisons(raw: RawData) -> RawData:
    """Return a row for each question with ranked answers: the best, and all that are worse."""
    splits, notes = {}, []
    for split, table in raw.splits.items():
        forest = _forest(table)
        rows = [row for root in forest.roots for row in _comparisons(root)]
        kept = f"{counted(len(rows), 'question')} with ranked answers"
        splits[split], found = _table(split, rows, ("prompt", "chosen", "rejected"), forest, kept)
        notes += found
    return _checked(raw, splits, notes)


def _checked(raw: RawData, splits: Mapping[str, pa.Table], notes: Sequence[Note]) -> RawData:
    kept = {split: table for split, table in splits.items() if table.num_rows}
    if "train" not in kept:
        raise DataError(
            "The messages that name their parents (parent_id) hold nothing to learn.",
            "They need questions with answers (and ranks, for preferences), with their parents.",
        )
    return raw.with_splits(kept, *notes)


def _table(
    split: str,
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    forest: _Forest,
    kept: str,
    left: Sequence[str] = (),
) -> tuple[pa.Table, list[Note]]:
    """The rows as a table, and notes on what they are made of."""
    table = pa.table({name: [row[name] for row in rows] for name in (*names, TREE)})
    trees = counted(len(forest.roots), "tree")
    why = f"{split}: {trees} of messages read as {kept}"
    notes = [Note(why, "parent_id", "trees of messages", len(rows), kind="converted")]
    if forest.lost:
        what = f"{counted(forest.lost, 'message')} deleted, or without the one that is answered"
        left = [*left, what]
    if left:
        notes.append(Note(f"{split}: not used: {'; '.join(left)}", "parent_id", kind="dropped"))
    return table, notes


def _conversations(root: _Message) -> Iterator[dict[str, Any]]:
    """Yield the paths along the best answers; an answer that was in an earlier one weighs 0."""
    learned: set[int] = set()
    open_paths: list[list[_Message]] = [[root]]
    while open_paths:
        path = open_paths.pop()
        last = path[-1]
        following = (
            last.answers[:1]
            if last.role == USER
            else [reply for reply in last.replies if reply.role == USER]
        )
        open_paths += [[*path, one] for one in reversed(following)]
        answers = [one for one in path if one.role == ASSISTANT]
        if following or all(id(one) in learned for one in answers):
            continue
        while path[-1].role != ASSISTANT:
            path = path[:-1]
        turns = [
            _turn(one) | {"weight": int(one.role == ASSISTANT and id(one) not in learned)}
            for one in path
        ]
        learned |= {id(one) for one in answers}
        yield {"messages": turns, TREE: root.tree}


def _comparisons(root: _Message) -> Iterator[dict[str, Any]]:
    open_paths: list[list[_Message]] = [[root]]
    while open_paths:
        path = open_paths.pop()
        open_paths += [[*path, reply] for reply in reversed(path[-1].replies)]
        ranked = [one for one in path[-1].answers if one.rank < _UNRANKED]
        worse = [one.text for one in ranked if one.rank > ranked[0].rank]
        if path[-1].role == USER and worse:
            turns = [_turn(one) for one in path]
            yield {"prompt": turns, "chosen": ranked[0].text, "rejected": worse, TREE: root.tree}


def _turn(message: _Message) -> Turn:
    return {"role": message.role, "content": message.text}


def _answer_count(root: _Message) -> int:
    found, left = 0, [root]
    while left:
        one = left.pop()
        found += one.role == ASSISTANT
        left += one.replies
    return found


def _forest(table: pa.Table) -> _Forest:
    nested = _nested_column(table)
    if nested is None:
        return _planted(_rows(table))
    trees = (_written(value) for value in table[nested].to_pylist())
    return _planted(message for tree in trees if tree for message in _flattened(tree))


def _rows(table: pa.Table) -> Iterator[Mapping[str, Any]]:
    names = [*_FLAT, "rank", "deleted", TREE]
    present = table.select([name for name in names if name in table.column_names])
    for piece in in_windows(present):
        yield from piece.to_pylist()


def _flattened(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the messages of a nested tree, each with its parent."""
    left: list[tuple[Mapping[str, Any], Any]] = [(tree, None)]
    while left:
        one, parent = left.pop()
        name = one.get("message_id") or id(one)
        yield {**one, "message_id": name, "parent_id": parent}
        replies = [reply for reply in one.get(_REPLIES) or () if isinstance(reply, Mapping)]
        left += [(reply, name) for reply in reversed(replies)]


def _planted(messages: Iterator[Mapping[str, Any]]) -> _Forest:
    """Join messages to trees by the ids that they name."""
    known: dict[Any, _Message] = {}
    children: dict[Any, list[Any]] = defaultdict(list)
    roots, count = [], 0
    for one in messages:
        count += 1
        role = _SIDES.get(str(one.get("role")).strip().lower())
        text, name, parent = one.get("text"), one.get("message_id"), one.get("parent_id")
        if role is None or _is_true(one.get("deleted")) or text is None or not str(text).strip():
            continue
        known[name] = _Message(role, str(text), _rank(one), str(one.get(TREE) or name))
        if parent is None or not str(parent).strip():
            roots.append(name)
        else:
            children[parent].append(name)
    begins = [known[name] for name in roots if known[name].role == USER]
    for parent, names in children.items():
        if parent in known:
            known[parent].replies += [known[name] for name in names]
    reached, left = 0, list(begins)
    while left:
        one_more = left.pop()
        reached += 1
        left += one_more.replies
    return _Forest(begins, count - reached)


def _rank(message: Mapping[str, Any]) -> float:
    try:
        rank = float(message["rank"])
    except (KeyError, TypeError, ValueError):
        return _UNRANKED
    return rank if rank == rank else _UNRANKED


def _is_true(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "1")


def _nested_column(table: pa.Table) -> str | None:
    """Return the column whose first values are trees."""
    for name in table.column_names:
        if name.lower() in _NESTED:
            some = [value for value in table[name][:_LOOKED_AT].to_pylist() if value is not None]
            if some and all(_REPLIES in _written(value) for value in some):
                return str(name)
    return None


def _written(value: Any) -> Mapping[str, Any]:
    content = written_value(value) if isinstance(value, str) else value
    return content if isinstance(content, Mapping) else {}
