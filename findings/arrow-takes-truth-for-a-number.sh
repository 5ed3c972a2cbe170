#!/usr/bin/env bash
# pyarrow turns truth values behind a fraction into 1.0 and 0.0, and refuses them everywhere else.
#
# Expected: a column with numbers and truth values is refused whatever comes first, as pyarrow does with
#   a whole number before or behind them, and with a fraction behind them.
# Observed with pyarrow 26.0.1: once the first value is a float, True and False become 1.0 and 0.0 without
#   a word, in lists and structs as well; so whether rows load, and as what, depends on their order.
#   datasets 5.2.0 passes this on: Dataset.from_list loads {"x": 0.5}, {"x": true}, and raises for the
#   same two rows in the other order.
#
# Needs Python 3.11 or later and a package index; takes a minute. Exits with 1 when something else is
# seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    pyarrow==26.0.1 datasets==5.2.0

cat >"$folder/order.py" <<'PYTHON'
import datasets
import pyarrow as pa


def outcome(make):
    """Return the values, or the kind of error."""
    try:
        return make()
    except pa.ArrowException as error:
        return type(error).__name__


print(f"pyarrow {pa.__version__}, datasets {datasets.__version__}")
found = {}
for values in ([0.5, True], [True, 0.5], [1, True], [True, 1], [[0.5], [False]]):
    found[str(values)] = outcome(lambda: pa.array(values).to_pylist())
    print(f"pyarrow.array({values}): {found[str(values)]}")
rows = [{"x": 0.5}, {"x": True}]
for name, given in (("rows", rows), ("reversed", rows[::-1])):
    found[name] = outcome(lambda: datasets.Dataset.from_list(given)["x"][:])
    print(f"Dataset.from_list({given}): {found[name]}")
raise SystemExit(
    found
    != {
        "[0.5, True]": [0.5, 1.0],
        "[True, 0.5]": "ArrowInvalid",
        "[1, True]": "ArrowTypeError",
        "[True, 1]": "ArrowInvalid",
        "[[0.5], [False]]": [[0.5], [0.0]],
        "rows": [0.5, 1.0],
        "reversed": "ArrowInvalid",
    }
)
PYTHON

"$folder/venv/bin/python" "$folder/order.py"
