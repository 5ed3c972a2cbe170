#!/usr/bin/env bash
# pyarrow refuses to cast a list of objects with a part of type null to the very type that it has.
#
# Expected: `table.cast(table.schema)` returns the table, as it does where the part holds a text, and where
#   lists have no more than one object each.
# Observed with pyarrow 26.0.1: ArrowInvalid, "Struct child array #1 has length smaller than expected", as
#   soon as there are more objects than rows. The table itself is valid, is written to Parquet and is read
#   back. Conversations have such a part wherever a key of their turns is null in all of them.
#
# Needs Python 3.11 or later and a package index; takes a minute. Exits with 1 when something else is
# seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pyarrow==26.0.1

cat >"$folder/cast.py" <<'PYTHON'
import pyarrow as pa

ASK = {"role": "user", "name": None}
REPLY = {"role": "assistant", "name": None}


def outcome(*rows):
    """Return what becomes of a valid table of conversations that is cast to its own schema."""
    table = pa.Table.from_pylist([{"turns": turns} for turns in rows])
    table.validate(full=True)
    try:
        return "as it was" if table.cast(table.schema).equals(table) else "other values"
    except pa.ArrowException as error:
        return type(error).__name__


print(f"pyarrow {pa.__version__}")
found = {
    "two turns": outcome([ASK, REPLY]),
    "three rows of two turns": outcome([ASK, REPLY], [ASK, REPLY], [ASK, REPLY]),
    "one turn": outcome([ASK]),
    "two turns, one with a name": outcome([ASK | {"name": "x"}, REPLY]),
}
for rows, result in found.items():
    print(f"{rows}: {result}")
raise SystemExit(
    list(found.values()) != ["ArrowInvalid", "ArrowInvalid", "as it was", "as it was"]
)
PYTHON

"$folder/venv/bin/python" "$folder/cast.py"
