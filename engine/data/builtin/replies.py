"""Questions of customers, each with a helpful and a curt reply."""

from __future__ import annotations

import random

import pyarrow as pa

from engine.data.raw import TRAIN, RawData

_ROWS = 2000
_CITIES = ("Leeds", "Turin", "Porto", "Ghent", "Graz", "Malmö", "Lyon", "Brno")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_ASKED = (
    ("Where is my parcel {number}?", "Parcel {number} is in {city} and arrives on {day}."),
    ("When does order {number} leave {city}?", "Order {number} leaves {city} on {day}."),
    ("Can I return order {number} in {city}?", "Yes, bring order {number} to {city} by {day}."),
    ("Is the shop in {city} open on {day}?", "Yes, the shop in {city} is open on {day}."),
)
_OPENINGS = ("Thank you for asking.", "Of course.", "Gladly.")
_CURT = (
    "No idea.", "Look it up yourself.", "Ask somebody else about that.",
    "That is not my problem, and it was not my problem last week either.",
)  # fmt: skip


def replies() -> RawData:
    """2,000 different questions, as ``prompt``, with a ``chosen`` and a ``rejected`` reply."""
    made = random.Random(0)
    rows: dict[str, tuple[str, str]] = {}
    while len(rows) < _ROWS:
        question, answer = made.choice(_ASKED)
        facts = {
            "number": made.randrange(1000, 10_000),
            "city": made.choice(_CITIES),
            "day": made.choice(_DAYS),
        }
        helpful = f"{made.choice(_OPENINGS)} {answer.format(**facts)}"
        rows[question.format(**facts)] = helpful, made.choice(_CURT)
    chosen, rejected = zip(*rows.values(), strict=True)
    return RawData({
        TRAIN: pa.table({"prompt": list(rows), "chosen": chosen, "rejected": rejected})
    })  # fmt: skip
