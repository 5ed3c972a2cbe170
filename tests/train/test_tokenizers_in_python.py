"""Models whose tokenizer is in Python or sentencepiece: trained, exported, predicted from."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sentencepiece
import torch
import transformers

from engine import RunConfig, train
from engine.artifacts.model_folder import load_exported
from engine.config.models.transformer import TransformerConfig
from engine.errors import TrainingError
from engine.models.language.text_tokenizer import load_tokenizer, longest_input
from engine.pipelines.create import create_pipeline
from engine.runs.directory import RunDirectory
from engine.tasks.create import create_task

CPU = torch.device("cpu")
TEXT = "Ann saw the film in Rome and it was superb but long said Ben of Acme Works"
WORDS = TEXT.split()
SIZES: dict[str, Any] = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 32,
                         "intermediate_size": 64}  # fmt: skip
SIDES: dict[str, Any] = {
    "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
    "max_position_embeddings": 64,
}  # fmt: skip


def pieces(path: Path) -> list[str]:
    """Train a sentencepiece model, and return its pieces without the first three."""
    made = random.Random(0)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(" ".join(made.choices(WORDS, k=6)) for _ in range(200)),
        model_prefix=str(path.with_suffix("")), vocab_size=80, hard_vocab_limit=False,
        minloglevel=2,
    )  # fmt: skip
    path.with_suffix(".model").rename(path)
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [model.IdToPiece(number) for number in range(3, model.GetPieceSize())]


def numbered(path: Path, words: list[str]) -> int:
    path.write_text(json.dumps({word: number for number, word in enumerate(dict.fromkeys(words))}))
    return len(dict.fromkeys(words))


def canine(folder: Path) -> None:
    config = transformers.CanineConfig(
        num_hash_functions=2, num_hash_buckets=50, max_position_embeddings=256, **SIZES
    )
    transformers.CanineModel(config).save_pretrained(folder)
    transformers.CanineTokenizer().save_pretrained(folder)


def byt5(folder: Path) -> None:
    config = transformers.T5Config(
        vocab_size=384, d_model=32, d_kv=16, d_ff=64, num_layers=1, num_heads=2,
        decoder_start_token_id=0,
    )  # fmt: skip
    transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
    transformers.ByT5Tokenizer().save_pretrained(folder)


def marian(folder: Path) -> None:
    words = [*pieces(folder / "source.spm"), *pieces(folder / "target.spm")]
    count = numbered(folder / "vocab.json", ["</s>", "<unk>", *words, "<pad>"])
    paths = (folder / name for name in ("source.spm", "target.spm", "vocab.json"))
    transformers.MarianTokenizer(*map(str, paths)).save_pretrained(folder)
    config = transformers.MarianConfig(
        vocab_size=count, pad_token_id=count - 1, eos_token_id=0, forced_eos_token_id=0,
        decoder_start_token_id=count - 1, **SIDES,
    )  # fmt: skip
    transformers.MarianMTModel(config).save_pretrained(folder)


def m2m(folder: Path) -> None:
    path = folder / "sentencepiece.bpe.model"
    count = numbered(folder / "vocab.json", ["<s>", "<pad>", "</s>", "<unk>", *pieces(path)])
    vocabulary = str(folder / "vocab.json")
    transformers.M2M100Tokenizer(vocabulary, str(path)).save_pretrained(folder)
    config = transformers.M2M100Config(
        vocab_size=count + 108, pad_token_id=1, eos_token_id=2, decoder_start_token_id=2, **SIDES
    )
    transformers.M2M100ForConditionalGeneration(config).save_pretrained(folder)


def letters(folder: Path, *names: str) -> int:
    """Write a vocabulary of letters, and return its size."""
    all_letters = sorted({letter for word in WORDS for letter in word})
    ends = [f"{letter}</w>" for letter in all_letters]
    (folder / "merges.txt").write_text("#version: 0.2\nn n</w>\n")
    words = ["<s>", "<pad>", "</s>", "<unk>", *all_letters, *ends, "nn</w>"]
    return [numbered(folder / name, words) for name in names].pop()


def biogpt(folder: Path) -> None:
    count = letters(folder, "vocab.json")
    files = (str(folder / "vocab.json"), str(folder / "merges.txt"))
    transformers.BioGptTokenizer(*files).save_pretrained(folder)
    config = transformers.BioGptConfig(vocab_size=count, max_position_embeddings=128, **SIZES)
    transformers.BioGptForCausalLM(config).save_pretrained(folder)


def esm(folder: Path) -> None:
    names = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWC", "<mask>"]
    (folder / "vocab.txt").write_text("\n".join(names))
    transformers.EsmTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    config = transformers.EsmConfig(
        vocab_size=len(names), mask_token_id=len(names) - 1, pad_token_id=1,
        max_position_embeddings=66, **SIZES,
    )  # fmt: skip
    transformers.EsmForMaskedLM(config).save_pretrained(folder)


def fsmt(folder: Path) -> None:
    count = letters(folder, "vocab-src.json", "vocab-tgt.json")
    files = [str(folder / f) for f in ("vocab-src.json", "vocab-tgt.json", "merges.txt")]
    transformers.FSMTTokenizer(["en", "de"], *files).save_pretrained(folder)
    config = transformers.FSMTConfig(
        langs=["en", "de"], src_vocab_size=count, tgt_vocab_size=count, pad_token_id=1,
        eos_token_id=2, bos_token_id=0, decoder_start_token_id=2, **SIDES,
    )  # fmt: skip
    transformers.FSMTForConditionalGeneration(config).save_pretrained(folder)


def flaubert(folder: Path) -> None:
    count = letters(folder, "vocab.json")
    files = (str(folder / "vocab.json"), str(folder / "merges.txt"))
    transformers.FlaubertTokenizer(*files).save_pretrained(folder)
    config = transformers.FlaubertConfig(
        vocab_size=count + 10, emb_dim=32, n_layers=1, n_heads=2, pad_index=1
    )
    transformers.FlaubertModel(config).save_pretrained(folder)


def rows_of(kind: str) -> list[dict[str, Any]]:
    made = random.Random(0)

    def text(count: int) -> str:
        return " ".join(made.choices(WORDS, k=count))

    def row() -> dict[str, Any]:
        words, context = made.choices(WORDS, k=made.randint(2, 30)), f"{text(12)} Zoe {text(15)}"
        answers = {"text": ["Zoe"], "answer_start": [context.index("Zoe")]}
        label = made.choice(["superb", "long"])
        kinds: dict[str, dict[str, Any]] = {
            "text_classification": {"text": f"{text(5)} {label}", "label": label},
            "token_classification": {
                "tokens": words, "tags": ["PER" if word in "Ann Ben" else "O" for word in words]
            },
            "question_answering": {"question": "Who saw ?", "context": context, "answers": answers},
            "causal_lm": {"prompt": text(4), "completion": text(3)},
            "seq2seq": {"source": text(4), "target": text(3)},
        }  # fmt: skip
        return kinds[kind]

    return [row() for _ in range(32)]


NEW = {
    "text_classification": {"text": ["Ann saw it superb", "long"]},
    "token_classification": {"tokens": [["Ann", "saw", "Rome"], ["Ben"]]},
    "question_answering": {"question": ["Who ?"], "context": ["in Rome Zoe saw it"]},
    "causal_lm": {"prompt": ["Ann saw"]},
    "seq2seq": {"source": ["Ann saw", "Rome"]},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "question_answering": {"max_length": 48, "doc_stride": 12},
    "causal_lm": {"max_length": 48, "max_new_tokens": 4},
    "seq2seq": {"max_source_length": 48, "max_target_length": 32, "max_new_tokens": 6,
                "eval_rows": 4, "final_rows": 4},
}  # fmt: skip


def values_of(folder: Path, kind: str, **task: Any) -> dict[str, Any]:
    path = folder / f"{kind}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_of(kind)))
    options = OPTIONS.get(kind, {"max_length": 48})
    return {
        "task": {"kind": kind, **options, **task}, "data": {"kind": "file", "path": str(path)},
        "model": {"kind": "transformer", "path": str(folder)},
        "train": {"epochs": 1, "batch_size": 8}, "compute": {"device": "cpu", "threads": 1},
    }  # fmt: skip


def predicted(run: RunDirectory, kind: str) -> list[dict[str, Any]]:
    task, fitted, network = load_exported(run.model, CPU)
    encode = task.encode_new if kind == "causal_lm" else task.encode
    source = encode(pa.table(NEW[kind]), fitted, CPU, lambda event: None)
    with torch.inference_mode():
        batches = source.read(source.plan(1))
        return [record for batch in batches for record in task.predict(network, batch, fitted)]


Make = Callable[[Path], None]


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (canine, "text_classification"),
        pytest.param(canine, "token_classification", marks=pytest.mark.slow),
        pytest.param(canine, "question_answering", marks=pytest.mark.slow),
        (byt5, "seq2seq"), (marian, "seq2seq"), (fsmt, "seq2seq"),
        (biogpt, "causal_lm"), (biogpt, "token_classification"), (esm, "text_classification"),
        (flaubert, "token_classification"),
    ],
)  # fmt: skip
def test_a_model_trains_and_predicts_from_its_folder(make: Make, kind: str, tmp_path: Path) -> None:
    make(tmp_path)
    run = train(RunConfig.parse(values_of(tmp_path, kind)))
    report = run.report.read() or {}
    assert report["metrics"]["test"]["loss"] > 0
    assert len(predicted(run, kind)) == len(next(iter(NEW[kind].values())))
    before = transformers.AutoTokenizer.from_pretrained(tmp_path)
    after = transformers.AutoTokenizer.from_pretrained(run.model)
    assert type(after) is type(before)
    assert after(TEXT)["input_ids"] == before(TEXT)["input_ids"]


@pytest.mark.slow
def test_predictions_of_characters_are_those_of_transformers(tmp_path: Path) -> None:
    canine(tmp_path)
    run = train(RunConfig.parse(values_of(tmp_path, "text_classification")))
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(run.model)
    network = transformers.AutoModelForSequenceClassification.from_pretrained(run.model)
    texts = NEW["text_classification"]["text"]
    with torch.inference_mode():
        logits = network(**tokenizer(texts, padding=True, return_tensors="pt")).logits
    theirs = logits.softmax(1).max(1).values.tolist()
    records = predicted(run, "text_classification")
    assert [record["score"] for record in records] == pytest.approx(theirs, abs=1e-5)


def test_characters_are_at_most_as_many_as_there_are_positions(tmp_path: Path) -> None:
    canine(tmp_path)
    model = TransformerConfig(path=str(tmp_path))
    longest = longest_input(model, load_tokenizer(model))
    assert longest == 50
    network = transformers.CanineModel.from_pretrained(tmp_path)
    network(torch.full((1, longest), ord("a")))
    with pytest.raises(IndexError):
        network(torch.full((1, longest + 1), ord("a")))


@pytest.mark.slow
def test_answers_in_characters_are_found(tmp_path: Path) -> None:
    canine(tmp_path)
    values = values_of(tmp_path, "question_answering")
    values["train"] |= {"epochs": 12, "learning_rate": 3e-3}
    run = train(RunConfig.parse(values))
    (record,) = predicted(run, "question_answering")
    assert (record["answer"], record["start"], record["end"]) == ("Zoe", 8, 11)


def test_targets_are_marked_with_their_language(tmp_path: Path) -> None:
    m2m(tmp_path)
    values = values_of(tmp_path, "seq2seq", source_language="en", target_language="de")
    values["train"] |= {"learning_rate": 1e-3}
    config = RunConfig.parse(values)
    run = train(config)
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(run.model)
    german = tokenizer.get_lang_id("de")
    assert (tokenizer.src_lang, tokenizer.tgt_lang) == ("en", "de")
    assert tokenizer(text_target="Ann")["input_ids"][0] == german
    network: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(run.model)
    generated = network.generate(**tokenizer("Ann", return_tensors="pt"), max_new_tokens=3)
    assert generated[0, 1] == german
    assert all("__" not in record["generated"] for record in predicted(run, "seq2seq"))


def test_tokens_are_kept_for_each_target_language(tmp_path: Path) -> None:
    m2m(tmp_path)
    words = ["<s>", "<pad>", "</s>", "<unk>", *"AnsawRome"]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    tokenizer = transformers.NllbTokenizer(vocab=vocabulary, merges=[])
    tokenizer.save_pretrained(tmp_path)
    assert tokenizer.is_fast
    table = pa.table({"source": ["Ann"] * 300, "target": ["Rome"] * 300})
    for language in ("deu_Latn", "fra_Latn"):
        task = create_task(
            RunConfig.parse(values_of(tmp_path, "seq2seq", target_language=language))
        )
        fitted = task.pipeline.fit(task.pipeline.load())
        source = task.encode(table, fitted, CPU, lambda event: None)
        batch = next(source.read(source.plan(4)))
        expected = tokenizer.convert_tokens_to_ids(language)
        assert batch.targets["labels"][:, 0].tolist() == [expected] * 4


@pytest.mark.parametrize(
    ("make", "task", "said"),
    [
        (m2m, {}, "Set task.target_language"),
        (m2m, {"target_language": "xx"}, "task.target_language: .* has no language 'xx'"),
        (m2m, {"source_language": "deutsch", "target_language": "de"}, "no language 'deutsch'"),
        (byt5, {"target_language": "de"}, "marks no languages"),
    ],
)
def test_languages_that_cannot_be_are_refused_before_the_start(
    make: Make, task: dict[str, Any], said: str, tmp_path: Path
) -> None:
    make(tmp_path)
    config = RunConfig.parse(values_of(tmp_path, "seq2seq", **task))
    with pytest.raises(TrainingError, match=said):
        create_pipeline(config).tokenizer("")


def test_answers_in_texts_that_a_tokenizer_changes_are_refused_before_the_start(
    tmp_path: Path,
) -> None:
    flaubert(tmp_path)
    config = RunConfig.parse(values_of(tmp_path, "question_answering"))
    with pytest.raises(TrainingError, match="the place of an answer in them cannot be told"):
        create_pipeline(config).tokenizer("")


def test_targets_of_another_vocabulary_are_refused_before_the_start(tmp_path: Path) -> None:
    fsmt(tmp_path)
    path = tmp_path / "vocab-tgt.json"
    words = json.loads(path.read_text())
    numbered(path, [*list(words)[:4], *reversed(list(words)[4:])])
    config = RunConfig.parse(values_of(tmp_path, "seq2seq"))
    with pytest.raises(TrainingError, match="another vocabulary"):
        create_pipeline(config).tokenizer("")


def test_a_tokenizer_without_its_files_is_refused(tmp_path: Path) -> None:
    config = transformers.GPT2Config(n_embd=32, n_layer=1, n_head=2)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match="has no vocabulary; its files are missing"):
        load_tokenizer(TransformerConfig(path=str(tmp_path)))


def test_a_tokenizer_whose_inputs_are_not_passed_on_is_refused(tmp_path: Path) -> None:
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"])}
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    for name in ("shape", "pronunciation"):
        (tmp_path / f"word_{name}.json").write_text(json.dumps(words))
    names = ("vocab.txt", "word_shape.json", "word_pronunciation.json")
    transformers.RoCBertTokenizer(*(str(tmp_path / name) for name in names)).save_pretrained(
        tmp_path
    )
    transformers.RoCBertConfig(vocab_size=5, **SIZES).save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match="makes input_pronunciation_ids and input_shape_ids"):
        load_tokenizer(TransformerConfig(path=str(tmp_path)))


WITHOUT_PACKAGES = """
import sys
sys.modules["sentencepiece"] = sys.modules["sacremoses"] = None
from engine.config.models.transformer import TransformerConfig
from engine.errors import TrainingError
from engine.models.language.text_tokenizer import load_tokenizer
for folder in sys.argv[1:]:
    try:
        load_tokenizer(TransformerConfig(path=folder))
    except TrainingError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_missing_package_is_named_with_its_extra(tmp_path: Path) -> None:
    needed = {}
    for make, package in ((marian, "sentencepiece"), (m2m, "sentencepiece"), (fsmt, "sacremoses")):
        for named in (True, False):
            folder = tmp_path / f"{make.__name__}-{named}"
            folder.mkdir()
            make(folder)
            settings = folder / "tokenizer_config.json"
            if not named:  # as in folders of transformers 4
                values = json.loads(settings.read_text())
                settings.write_text(json.dumps({k: v for k, v in values.items() if k == "langs"}))
            needed[str(folder)] = package
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGES, *needed],
        capture_output=True, text=True, check=True, timeout=240,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        f"model.path: the tokenizer of {folder} needs the package {package}. "
        f"Install it with: pip install 'dltui[{package}]'."
        for folder, package in needed.items()
    ]
