"""Event files as TensorBoard's own classes write them: scalars of every type and age."""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("tensorboard")

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.summary.writer.record_writer import RecordWriter

from engine.importers.foreign_run import ForeignRun
from engine.importers.tensorboard import EventFile, read_tensorboard

FLOAT, DOUBLE, INT32, STRING, INT64 = 1, 2, 3, 7, 9
"""Types of tensors (types.proto)."""
QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def recorded(events: Iterable[Any]) -> bytes:
    """Events as the content of a file, by TensorBoard's own writer of records."""
    file = io.BytesIO()
    writer = RecordWriter(file)
    for event in events:
        writer.write(event if isinstance(event, bytes) else event.SerializeToString())
    return file.getvalue()


def event(step: int, tag: str = "loss", time: float = 0.0, **value: Any) -> Any:
    summary = Summary(value=[Summary.Value(tag=tag, **value)])
    return Event(wall_time=time, step=step, summary=summary)


def tensor(kind: int, **content: Any) -> Any:
    return TensorProto(dtype=kind, **content)


def read(folder: Path, *events: Any, split: str = "", name: str = "events.out") -> ForeignRun:
    path = folder / name
    path.write_bytes(recorded(events))
    return read_tensorboard([EventFile(path, split)], folder, "mine")


def points(run: ForeignRun, metric: str = "loss", split: str = "train") -> list[Any]:
    return run.series[metric, split].points(run.tally)


SCALARS = st.dictionaries(
    st.integers(0, 2**40), st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1
)


@given(SCALARS)
@QUICK
def test_scalars_come_back_by_rising_steps(tmp_path: Path, scalars: dict[int, float]) -> None:
    run = read(tmp_path, *(event(s, time=s / 2, simple_value=v) for s, v in scalars.items()))
    assert points(run) == [(s, s / 2, scalars[s]) for s in sorted(scalars)]
    assert list(run.tally.sentences()) == []
    assert (run.program, run.name) == ("TensorBoard", "mine")


@pytest.mark.parametrize(
    ("made", "value"),
    [
        (tensor(FLOAT, float_val=[0.5]), 0.5),
        (tensor(FLOAT, tensor_content=struct.pack("<f", 0.25)), 0.25),
        (tensor(DOUBLE, double_val=[1e-300]), 1e-300),
        (tensor(DOUBLE, tensor_content=struct.pack("<d", -2.5)), -2.5),
        (tensor(INT32, int_val=[-7]), -7.0),
        (tensor(INT64, int64_val=[2**52]), 2.0**52),
        (tensor(INT64, int64_val=[-1]), -1.0),
        (tensor(INT64, tensor_content=struct.pack("<q", -9)), -9.0),
        (tensor(INT32, int_val=[0]), 0.0),
    ],
)
def test_tensors_of_one_number_are_scalars(tmp_path: Path, made: Any, value: float) -> None:
    run = read(tmp_path, event(3, time=9.0, tensor=made))
    assert points(run) == [(3, 9.0, value)]


IMAGE = Summary.Image(height=1, width=1, encoded_image_string=b"png")
SHAPE = TensorShapeProto(dim=[TensorShapeProto.Dim(size=2)])


@pytest.mark.parametrize(
    "value",
    [
        {"tensor": tensor(FLOAT, float_val=[1, 2])},
        {"tensor": tensor(FLOAT, float_val=[1, 2], tensor_shape=SHAPE)},
        {"tensor": tensor(INT64, int64_val=[1, 2])},
        {"tensor": tensor(INT32, int_val=[5, 8, 7])},
        {"tensor": tensor(STRING, string_val=[b"hello"])},
        {"tensor": tensor(DOUBLE)},
        {"image": IMAGE},
        {"obsolete_old_style_histogram": b"x"},
    ],
)
def test_values_that_are_no_single_number_are_counted(tmp_path: Path, value: Any) -> None:
    run = read(tmp_path, event(1, **value), event(1, "acc", simple_value=0.5))
    assert list(run.series) == [("accuracy", "train")]
    [told] = run.tally.sentences()
    assert told == "Values that are not numbers (images, histograms, texts), left out: 1."


def test_several_values_of_one_event_share_its_step(tmp_path: Path) -> None:
    values = [Summary.Value(tag=tag, simple_value=v) for tag, v in (("loss", 1), ("val/acc", 0.5))]
    run = read(tmp_path, Event(wall_time=5, step=2, summary=Summary(value=values)))
    assert points(run) == [(2, 5.0, 1.0)]
    assert points(run, "accuracy", "validation") == [(2, 5.0, 0.5)]


def test_the_step_and_time_are_known_wherever_they_stand_in_an_event(tmp_path: Path) -> None:
    one, other = event(4, simple_value=1.0), Event(wall_time=8.0)
    whole = one.SerializeToString() + other.SerializeToString()  # the time comes last
    assert points(read(tmp_path, whole)) == [(4, 8.0, 1.0)]


def test_the_first_event_of_a_file_and_empty_ones_hold_no_values(tmp_path: Path) -> None:
    run = read(tmp_path, Event(wall_time=1, file_version="brain.Event:2"), Event(), b"")
    assert run.series == {}
    assert list(run.tally.sentences()) == []


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_counted(tmp_path: Path, value: float) -> None:
    run = read(tmp_path, event(1, simple_value=value), event(2, simple_value=1.0))
    assert [point[0] for point in points(run)] == [2]
    assert list(run.tally.sentences()) == ["NaN or infinite values, left out: 1."]


def test_negative_steps_are_counted_and_of_one_step_the_last_value_counts(tmp_path: Path) -> None:
    run = read(
        tmp_path, event(-1, simple_value=9), event(5, simple_value=1), event(5, simple_value=2)
    )
    assert [(step, value) for step, _, value in points(run)] == [(5, 2.0)]
    assert list(run.tally.sentences()) == [
        "Values without a usable step, left out: 1.",
        "Values written again for the same step, of which the later ones are kept: 1.",
    ]


@pytest.mark.parametrize("damaged", [b"\xff", b"\x0a\x05a", b"\x2a\x03abc", b"\x08"])
def test_records_that_are_not_events_are_counted_and_the_next_is_read(
    tmp_path: Path, damaged: bytes
) -> None:
    run = read(tmp_path, damaged, event(1, simple_value=0.5))
    assert points(run) == [(1, 0.0, 0.5)]
    assert list(run.tally.sentences()) == [
        "Records that are not events of TensorBoard, left out: 1."
    ]


@given(st.integers(0, 200))
@QUICK
def test_a_file_that_is_cut_off_has_the_events_before(tmp_path: Path, cut: int) -> None:
    events = [event(step, simple_value=step) for step in range(4)]
    whole = recorded(events)
    ends = [len(recorded(events[:count])) for count in range(5)]
    cut = min(cut, len(whole))
    path = tmp_path / "events.out"
    path.write_bytes(whole[:cut])
    run = read_tensorboard([EventFile(path)], tmp_path, "cut")
    complete = sum(end <= cut for end in ends) - 1
    assert sum(len(series.steps) for series in run.series.values()) == complete
    assert len(list(run.tally.sentences())) == (cut not in ends)


def test_files_of_splits_are_one_run(tmp_path: Path) -> None:
    files = []
    for split, value in (("train", 1.0), ("validation", 2.0), ("", 3.0)):
        path = tmp_path / f"{split}.out"
        path.write_bytes(recorded([event(1, "epoch_loss", simple_value=value)]))
        files.append(EventFile(path, split))
    run = read_tensorboard(files, tmp_path, "keras")
    assert points(run, split="validation") == [(1, 0.0, 2.0)]
    assert points(run) == [(1, 0.0, 1.0)]
    assert points(run, "epoch_loss") == [(1, 0.0, 3.0)]


def settings_of(folder: Path, tag: str, text: str) -> ForeignRun:
    return read(folder, event(0, tag, tensor=tensor(STRING, string_val=[text.encode()])))


def test_texts_of_transformers_are_settings(tmp_path: Path) -> None:
    text = json.dumps({"lr": 0.1, "steps": 10, "nested": {"a": True}, "none": None})
    run = settings_of(tmp_path, "args/text_summary", text)
    assert run.settings == {"lr": 0.1, "steps": 10, "nested.a": True}
    run = settings_of(tmp_path, "model_config/text_summary", '{"hidden_size": 8}')
    assert run.settings == {"model.hidden_size": 8}
    for other in ("[1]", "{", "1e999", '{"a": NaN'):
        assert settings_of(tmp_path, "args/text_summary", other).settings == {}
    assert settings_of(tmp_path, "notes/text_summary", text).settings == {}


def test_hyperparameters_of_a_session_are_settings(tmp_path: Path) -> None:
    data = HParamsPluginData()
    hparams = data.session_start_info.hparams
    hparams["lr"].number_value = 0.01
    hparams["optimizer"].string_value = "adam"
    hparams["nesterov"].bool_value = False
    hparams["sizes"].list_value.values.add().number_value = 3
    hparams["api_key"].string_value = "hidden"
    hparams["none"].null_value = 0
    content = SummaryMetadata.PluginData(plugin_name="hparams", content=data.SerializeToString())
    metadata = SummaryMetadata(plugin_data=content)
    run = read(tmp_path, event(0, "_hparams_/session_start_info", metadata=metadata))
    assert run.settings == {
        "lr": 0.01, "optimizer": "adam", "nesterov": False, "sizes": "(a list)",
    }  # fmt: skip
    assert list(run.tally.sentences()) == ["Settings named like secrets, left out: 1."]


def test_names_with_escape_sequences_are_made_plain(tmp_path: Path) -> None:
    run = read(tmp_path, event(1, "a\x1b[31mb", simple_value=1.0))
    assert all("\x1b" not in reading for reading in run.readings())
    assert all("\x1b" not in metric for metric, _ in run.series)
