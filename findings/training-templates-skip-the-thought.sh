#!/usr/bin/env bash
# TRL's chat templates for training let DeepSeek and Nemotron learn answers to another prompt than
# the one that the same template asks with.
#
# Expected: the text that is trained on begins with the prompt of the same conversation, as it does
#   with TRL's template for Qwen 3, so that an answer is learned where it will be asked for.
# Observed with trl 1.16.0 and transformers 5.24.0: the templates that TRL puts in place of those of
#   DeepSeek-R1-Distill, DeepSeek-V3 and Nemotron 3 when it learns answers alone
#   (assistant_only_loss) ask with <think>, and write an answer without a thought where the prompt
#   ends with that mark: behind the header (DeepSeek), or behind <think></think> without the line
#   break (Nemotron). Such a model is asked behind "<think>\n" and has never learned what follows it.
#
# Needs Python 3.11 or later and a package index; takes a minute. Nothing is trained: TRL's files are
# rendered by transformers, without torch. Exits with 1 when something else is seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export HF_HUB_OFFLINE=1 HF_HOME="$folder/hf"

"${PYTHON:-python3}" -m venv "$folder/venv"
pip=("$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check)
"${pip[@]}" transformers==5.24.0 tokenizers==0.23.3 jinja2
"${pip[@]}" --no-deps trl==1.16.0

cat >"$folder/templates.py" <<'PYTHON'
from importlib.metadata import distribution, version
from pathlib import Path

import tokenizers
import transformers

FILES = Path(str(distribution("trl").locate_file("trl/chat_templates")))
TURNS = [{"role": "user", "content": "2 + 2?"}, {"role": "assistant", "content": "4"}]
THINKING = ("deepseek_r1_distill", "deepseekv3", "nemotron_3_nano", "nemotron_3_super")


def written(name):
    """Return the prompt for an answer, and the text that is trained on."""
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"[UNK]": 0}, "[UNK]"))
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=words, bos_token="", eos_token="")
    made.chat_template = (FILES / f"{name}_training.jinja").read_text(encoding="utf-8")
    prompt = made.apply_chat_template(TURNS[:1], tokenize=False, add_generation_prompt=True)
    return prompt, made.apply_chat_template(TURNS, tokenize=False)


def main():
    print("trl", version("trl"), "transformers", transformers.__version__)
    found = {}
    for name in ("qwen3", *THINKING):
        prompt, text = written(name)
        found[name] = text.startswith(prompt)
        print(f"{name}: asked with …{prompt[-28:]!r}, trained on …{text[-36:]!r}: "
              f"{'continues' if found[name] else 'does not continue'} the prompt")
    if found == {"qwen3": True, **dict.fromkeys(THINKING, False)}:
        print("as described above")
    else:
        raise SystemExit("something else than described above")


main()
PYTHON
"$folder/venv/bin/python" "$folder/templates.py"
