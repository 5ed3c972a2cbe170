"""Rows a second that are generated, beside transformers' own batches and an earlier version.

    DLTUI_TEST_DATA=FOLDER python tests/benchmarks/writing.py [--prompts 1000] [--before CHECKOUT]

A Llama of 30 M parameters with random weights continues the prompts of ``instructions/train.jsonl``
by greedy decoding, up to ``--tokens`` tokens or the token that ends a text, which is made more
likely than others. ``transformers`` calls ``generate`` with batches of 64 prompts in the order of
the file, padded on the left. Each program is a process of its own on ``--threads`` threads; rows
a second are those of its processor time without the start. ``--before`` is a checkout from before
prompts were continued in batches, which continues ``--few`` of them. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from subprocess import run
from typing import Any

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("DLTUI_TEST_DATA", HERE.parents[2] / "shared" / "data")) / "instructions"
SCRIPT = """
import json, resource, sys, time
import torch, transformers
data, program, count, tokens, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
torch.set_num_threads(threads)
tokenizer = transformers.AutoTokenizer.from_pretrained(f"{data}/tiny-llama")
torch.manual_seed(0)
config = transformers.LlamaConfig(
    hidden_size=512, intermediate_size=1536, num_attention_heads=8, num_key_value_heads=8,
    num_hidden_layers=8, vocab_size=len(tokenizer), tie_word_embeddings=False,
    eos_token_id=tokenizer.eos_token_id, bos_token_id=None, pad_token_id=tokenizer.pad_token_id)
network = transformers.LlamaForCausalLM(config).eval()
with torch.no_grad():
    network.lm_head.weight[tokenizer.eos_token_id] *= 1.4
texts = [json.loads(line)["prompt"] for line in open(f"{data}/train.jsonl")][:count]
prompts = [tokenizer(text).input_ids for text in texts]
if program == "before":  # where it was until then
    from engine.text.continuation import Sampling, continued
elif program == "dltui":
    from engine.text.generation.continuation import Sampling, continued
if program != "transformers":
    sampling = Sampling(tokens, 0.0, 1.0)
else:
    tokenizer.padding_side = "left"
begun = time.process_time()
with torch.inference_mode():
    if program == "dltui":
        written = continued(network, tokenizer, prompts, sampling, 1024)
    elif program == "before":
        written = [continued(network, tokenizer, each, sampling, 1024) for each in prompts]
    else:
        written = []
        for first in range(0, count, 64):
            batch = tokenizer(texts[first : first + 64], return_tensors="pt", padding=True)
            made = network.generate(
                input_ids=batch.input_ids, attention_mask=batch.attention_mask,
                max_new_tokens=tokens, do_sample=False)
            new = made[:, batch.input_ids.shape[1] :]
            written += tokenizer.batch_decode(new, skip_special_tokens=True)
seconds = time.process_time() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
lengths = [len(tokenizer(text).input_ids) for text in written]
print("result", json.dumps({
    "rows_per_second": count / seconds, "peak_mib": peak, "texts": written,
    "million": sum(part.numel() for part in network.parameters()) / 1e6,
    "tokens": sum(lengths) / count}))
"""


def measured(program: str, checkout: Path, count: int, tokens: int, threads: int) -> dict[str, Any]:
    """The figures of one program, and its texts."""
    words = [str(DATA), program, str(count), str(tokens), str(threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(checkout)}
    done = run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, *words],
        env=environment, cwd=checkout, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [line for line in done.stdout.splitlines() if line.startswith("result ")]
    if not lines:
        raise SystemExit(f"{program} failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(lines[0].removeprefix("result "))
    print(program, f"{found['rows_per_second']:.2f} rows a second", flush=True)
    return found


def main() -> None:
    """Measure each program once and print their rates, ratios and differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=1000)
    parser.add_argument("--few", type=int, default=100, help="prompts of the earlier checkout")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--before", default="", help="earlier checkout of this project")
    arguments = parser.parse_args()
    here = HERE.parents[1]
    rows = {"dltui": (here, arguments.prompts), "transformers": (here, arguments.prompts)}
    if arguments.before:
        rows["before"] = (Path(arguments.before).resolve(), min(arguments.few, arguments.prompts))
    found = {
        name: measured(name, checkout, count, arguments.tokens, arguments.threads)
        for name, (checkout, count) in rows.items()
    }
    mine = found["dltui"]
    print(f"{mine['million']:.0f} M parameters, {mine['tokens']:.0f} tokens a text")
    print("| | rows a second | against dltui | peak of memory | texts that differ |")
    print("|---" * 5 + "|")
    for name, one in found.items():
        differ = sum(a != b for a, b in zip(mine["texts"], one["texts"], strict=False))
        rate, ratio = one["rows_per_second"], one["rows_per_second"] / mine["rows_per_second"]
        print(f"| {name} | {rate:.2f} | {ratio:.2f} | {one['peak_mib']:,.0f} MiB | {differ} |")


if __name__ == "__main__":
    main()
