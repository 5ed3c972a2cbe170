"""Files of other programs, byte by byte: messages, records with checksums, names of metrics."""

from __future__ import annotations

import contextlib
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import RunError
from engine.importers.foreign_run import POINTS, ForeignRun, Series
from engine.importers.metric_names import direction_of
from engine.importers.sources import find_sources
from engine.importers.tally import Tally
from engine.importers.tf_records import masked_crc, tf_records
from engine.importers.transformers import read_transformers
from engine.importers.wandb import read_wandb
from engine.importers.wandb_records import wandb_records
from engine.importers.wire import WireError, double, fields, nested, signed, text


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number: int, value: int | bytes | float) -> bytes:
    """A field as protocol buffers write it: integers, bytes, or doubles."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


FIELDS = st.lists(
    st.tuples(
        st.integers(1, 2000),
        st.one_of(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=200), st.floats()),
    ),
    max_size=8,
)


@given(FIELDS)
@settings(max_examples=80, deadline=None)
def test_messages_are_read_as_they_were_written(written: list[tuple[int, Any]]) -> None:
    message = b"".join(field(number, value) for number, value in written)
    read = list(fields(message))
    assert [number for number, _ in read] == [number for number, _ in written]
    for (_, raw), (_, value) in zip(read, written, strict=True):
        if isinstance(value, float):
            assert struct.pack("<d", double(raw)) == struct.pack("<d", value)
        elif isinstance(value, int):
            assert signed(raw) == value
        else:
            assert nested(raw) == value


@given(FIELDS, st.integers(0, 300), st.binary(max_size=4))
@settings(max_examples=80, deadline=None)
def test_damaged_messages_are_an_error_of_their_own_or_read(
    written: list[tuple[int, Any]], cut: int, added: bytes
) -> None:
    message = b"".join(field(number, value) for number, value in written)[:cut] + added
    with contextlib.suppress(WireError):
        assert sum(1 for _ in fields(message)) <= len(message)


@pytest.mark.parametrize(
    "message",
    [
        b"\x08",
        b"\x08" + b"\xff" * 10,
        b"\x0a\x05abc",
        b"\x0a\x04abc",
        b"\x09\x00",
        b"\x0b",
        b"\x0d\x00\x00",
    ],
)
def test_messages_that_end_too_early_are_an_error(message: bytes) -> None:
    with pytest.raises(WireError):
        list(fields(message))


def test_values_of_another_kind_are_an_error() -> None:
    for read, value in ((nested, 5), (signed, b"x"), (double, b"abc"), (double, 5)):
        with pytest.raises(WireError):
            read(value)  # type: ignore[operator]
    assert double(struct.pack("<f", 0.5)) == 0.5
    assert text("ü".encode()) == "ü"
    assert text(b"\xff") == "\ufffd"


def test_checksums_are_crc_32c_in_the_masked_form() -> None:
    # 0xE3069283 is the check value of CRC-32C for these nine digits.
    crc = 0xE3069283
    assert masked_crc(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked_crc(b"") == 0xA282EAD8


def tf_record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return (
        length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))
    )


@given(st.lists(st.binary(max_size=30), max_size=6), st.data())
@settings(max_examples=60, deadline=None)
def test_of_records_each_is_read_or_counted(records: list[bytes], data: st.DataObject) -> None:
    file = b"".join(map(tf_record, records))
    tally = Tally()
    assert list(tf_records(io.BytesIO(file), tally)) == records
    assert list(tally.sentences()) == []
    cut = data.draw(st.integers(0, len(file)))
    found = list(tf_records(io.BytesIO(file[:cut]), tally := Tally()))
    assert found == records[: len(found)]
    ends = {0}
    for record in records:
        ends.add(max(ends) + 16 + len(record))
    assert len(list(tally.sentences())) == (cut not in ends)


def test_a_record_with_a_wrong_checksum_is_left_out_and_the_next_is_read() -> None:
    first, second = tf_record(b"first"), tf_record(b"second")
    damaged = bytearray(first + second)
    damaged[14] ^= 1
    tally = Tally()
    assert list(tf_records(io.BytesIO(bytes(damaged)), tally)) == [b"second"]
    assert list(tally.sentences()) == ["Damaged records (wrong checksum), left out: 1."]


def wandb_file(records: list[bytes]) -> bytes:
    """Records as LevelDB's log has them, cut into parts at the ends of blocks of 32 KiB."""
    file = bytearray(b":W&B\x00\x00\x00")
    for record in records:
        begun = False
        rest = record
        while True:
            room = 32768 - len(file) % 32768
            if room < 7:
                file += bytes(room)
                continue
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = (3 if rest else 4) if begun else (2 if rest else 1)
            file += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            begun = True
            if not rest:
                break
    return bytes(file)


@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=4))
@settings(max_examples=25, deadline=None)
def test_records_of_any_length_are_put_together_from_their_blocks(lengths: list[int]) -> None:
    records = [bytes([i + 65]) * length for i, length in enumerate(lengths)]
    tally = Tally()
    assert list(wandb_records(io.BytesIO(wandb_file(records)), tally)) == records
    assert list(tally.sentences()) == []


def test_a_file_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="W&B"):
        list(wandb_records(io.BytesIO(b"something else"), Tally()))


def item(number: int, value: int | bytes | float) -> bytes:
    return field(1, field(1, b"x") + field(number, value))


@pytest.mark.parametrize(
    ("number", "value", "read"),
    [
        (6, 0.25, 0.25),
        (5, 0, 0), (5, 1, -1), (5, 2, 1), (5, 2**64 - 1, -(2**63)), (5, 2**64 - 2, 2**63 - 1),
        (16, b"1.5", 1.5), (8, b"7", 7),
    ],
)  # fmt: skip
def test_typed_values_of_wandb_are_numbers(
    tmp_path: Path, number: int, value: Any, read: float
) -> None:
    path = tmp_path / "run-abc.wandb"
    path.write_bytes(wandb_file([field(2, item(number, value) + field(2, field(1, 3)))]))
    run = read_wandb(path)
    series = run.series["x", "train"]
    assert (series.steps.tolist(), series.values.tolist()) == ([3], [float(read)])
    assert run.name == "abc"


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("loss", "lower"), ("val_rmse", "lower"), ("perplexity", "lower"), ("wer", "lower"),
        ("accuracy", "higher"), ("f1_macro", "higher"), ("map50", "higher"), ("mape", "lower"),
        ("ndcg_at_10", "higher"), ("learning_rate", "unknown"), ("gpu_memory", "unknown"),
    ],
)  # fmt: skip
def test_the_direction_of_a_metric_is_told_by_its_name(name: str, direction: str) -> None:
    assert direction_of(name) == direction


def test_a_curve_keeps_its_ends_and_the_last_value_of_each_step() -> None:
    series, tally = Series(), Tally()
    for step in (*range(10_001), 5, 5):
        series.steps.append(step)
        series.times.append(0.0)
        series.values.append(float(len(series.steps)))
    points = series.points(tally)
    assert len(points) <= POINTS + 1
    assert [points[0][0], points[-1][0]] == [0, 10_000]
    assert [step for step, _, _ in points] == sorted({step for step, _, _ in points})
    repeated, downsampled = tally.sentences()
    assert "are kept: 2." in repeated
    assert f"points: {10_001 - len(points):,}." in downsampled


@pytest.mark.parametrize("step", [-1, 1 << 60])
def test_values_that_cannot_be_used_are_counted(step: int) -> None:
    run = ForeignRun("x", Path("y"), "z")
    run.add("loss", step, 0.0, 1.0)
    run.add("loss", 1, 0.0, float("nan"))
    run.add("loss", 2, float("nan"), 1.0)
    assert run.series["loss", "train"].times.tolist() == [0.0]
    assert sorted(run.tally.sentences()) == [
        "NaN or infinite values, left out: 1.", "Values without a usable step, left out: 1.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["password", "API_KEY", "x.secret", "hf_token", "hub_token", "ssh_private_key"]
)
def test_settings_that_may_be_secrets_are_left_out(name: str) -> None:
    run = ForeignRun("x", Path("y"), "z")
    run.configure({name: "hidden", "eos_token": "</s>", "max_tokens": 5, "deep": {name: "hidden"}})
    assert run.settings == {"eos_token": "</s>", "max_tokens": 5}
    assert list(run.tally.sentences()) == ["Settings named like secrets, left out: 2."]


def test_nested_settings_have_dotted_names_and_lists_are_one_text() -> None:
    run = ForeignRun("x", Path("y"), "z")
    run.configure({"a": {"b": {"c": 1}}, "l": [1, "x"], "n": None, "f": float("inf"), "t": True})
    assert run.settings == {"a.b.c": 1, "l": "1, x", "t": True}


@pytest.mark.parametrize(
    ("content", "message"),
    [("[]", "no log_history"), ('{"log_history": 5}', "no log_history"), ("{", "Expecting")],
)
def test_states_of_trainers_without_a_log_are_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "trainer_state.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        read_transformers(path)


def test_rows_of_a_log_without_a_step_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    rows = [{"step": 1, "loss": 2.0}, {"loss": 1.0}, 5, {"step": True, "loss": 1.0},
            {"step": 2, "eval_loss": 0.5, "eval_runtime": 3.0}]  # fmt: skip
    path.write_text(json.dumps({"log_history": rows, "best_metric": 0.5}))
    run = read_transformers(path)
    assert {key: own.values.tolist() for key, own in run.series.items()} == {
        ("loss", "train"): [2.0], ("loss", "validation"): [0.5],
    }  # fmt: skip
    assert run.decides == "loss"
    assert run.left_out == {"eval_runtime"}
    assert list(run.tally.sentences()) == ["Damaged rows of the log, left out: 3."]


def test_of_a_run_with_checkpoints_the_newest_state_is_its_source(tmp_path: Path) -> None:
    for name in ("run/checkpoint-1", "run/checkpoint-2", "other", "boards/train", "boards/val"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("run/checkpoint-1", "run/checkpoint-2", "other"):
        (tmp_path / name / "trainer_state.json").write_text("{}")
    for split in ("train", "val"):
        (tmp_path / "boards" / split / "events.out.tfevents.1").write_bytes(b"")
    (tmp_path / "run-x.wandb").write_bytes(b"")
    found = [source.path.relative_to(tmp_path).as_posix() for source in find_sources(tmp_path)]
    assert found == [
        "boards", "run-x.wandb", "other/trainer_state.json",
        "run/checkpoint-2/trainer_state.json",
    ]  # fmt: skip
    with pytest.raises(RunError, match="There is no run of another program"):
        find_sources(_empty(tmp_path))


def _empty(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"
