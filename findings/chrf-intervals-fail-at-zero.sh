#!/usr/bin/env bash
# sacrebleu cannot give the confidence interval of a chrF of which some resamples are 0.
#
# Expected: CHRF().corpus_score(…, n_bootstrap=1000) returns a score with its interval, as BLEU does,
#   also for an early translation model, most of whose sentences share nothing with the references.
# Observed with sacrebleu 2.6.0: TypeError ("don't know how to coerce"). A resample in which nothing is
#   shared scores 0.0, a float of Python, the others are of numpy's float32, and statistics.mean takes
#   no mixture of both. The same texts have a score without n_bootstrap, and BLEU has an interval.
#
# Needs Python 3.11 or later and a package index; takes seconds. Exits with 1 when something else is
# seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    sacrebleu==2.6.0 numpy==2.4.6

cat >"$folder/intervals.py" <<'PYTHON'
import sacrebleu
from sacrebleu.metrics import BLEU, CHRF

SHARED = ["the cat sat on the mat", "it rains again today", "we went home by train"]
NOTHING = ["xxxx", "zzzz", "we went home by train"]
REFERENCES = [["the cat sits on the mat", "it is raining today", "we went home by train"]]


def outcome(metric, texts, draws):
    """Return the score and its interval, or the error."""
    try:
        score = metric.corpus_score(texts, REFERENCES, n_bootstrap=draws)
    except TypeError as error:
        return f"TypeError: {error}"
    return f"{score.score:.1f}" + (f" ± {score._ci:.1f}" if draws > 1 else "")


print(f"sacrebleu {sacrebleu.__version__}")
failed = {}
for name, metric in (("BLEU", BLEU), ("chrF", CHRF)):
    for kind, texts in (("all share something", SHARED), ("two share nothing", NOTHING)):
        for draws in (1, 1000):
            found = outcome(metric(), texts, draws)
            print(f"{name}, {kind}, n_bootstrap={draws}: {found}")
            failed[name, kind, draws] = found.startswith("TypeError")
expected = {key: key == ("chrF", "two share nothing", 1000) for key in failed}
raise SystemExit(failed != expected)
PYTHON

"$folder/venv/bin/python" "$folder/intervals.py"
