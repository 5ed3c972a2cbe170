"""The hub, as far as it can be tested without network: local stand-ins and clear refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import datasets
import huggingface_hub.constants
import pytest

from engine.config.data.hub import HubConfig
from engine.data.load import load_data
from engine.data.raw import class_names
from engine.errors import DataError


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A folder in the hub's format of data sets."""
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
    )
    folder = tmp_path / "reviews" / "data"
    folder.mkdir(parents=True)
    for split, rows in {"train": 4, "test": 2}.items():
        part = datasets.Dataset.from_dict(
            {"text": ["good"] * rows, "label": [1] * rows}, features=features
        )
        part.to_parquet(folder / f"{split}-00000-of-00001.parquet")
    return tmp_path / "reviews"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def test_splits_and_names_of_classes_are_kept(stand_in: Path) -> None:
    raw = load_data(HubConfig(name=str(stand_in)))
    assert {split: table.num_rows for split, table in raw.splits.items()} == {"train": 4, "test": 2}
    assert class_names(raw.train, "label") == ["neg", "pos"]


def test_a_test_split_can_be_left_alone(stand_in: Path) -> None:
    raw = load_data(HubConfig(name=str(stand_in), test_split="none"))
    assert list(raw.splits) == ["train"]
    assert [note.why for note in raw.notes] == ["not used: the split test"]


def test_an_unknown_split_says_which_there_are(stand_in: Path) -> None:
    with pytest.raises(DataError, match=r"data\.train_split.*no split 'all'.*There is train, test"):
        load_data(HubConfig(name=str(stand_in), train_split="all"))


def test_an_unknown_configuration_says_which_there_are(stand_in: Path) -> None:
    with pytest.raises(DataError, match=r"data\.config: .*'default'"):
        load_data(HubConfig(name=str(stand_in), config="german"))


def test_without_network_the_built_in_data_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    # The libraries read the variable only once, perhaps before this test.
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"not on this machine.*Built-in data needs no network"):
        load_data(HubConfig(name="stanfordnlp/imdb"))


def test_no_name_says_so() -> None:
    with pytest.raises(DataError, match=r"data\.name: no data set is chosen"):
        load_data(HubConfig())


ANSWERS = {
    "a/missing": (404, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}),
    "a/gated": (
        403,
        {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to a/gated is gated"},
    ),
    "a/token": (401, {"X-Error-Message": "Invalid user token."}),
    "a/private": (401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository Not Found"}),
}


class Hub(BaseHTTPRequestHandler):
    """Refuses every request, as the hub does."""

    def do_GET(self) -> None:
        name = next((name for name in ANSWERS if name in self.path), "a/missing")
        status, headers = ANSWERS[name]
        self.send_response(status)
        for header, value in headers.items():
            self.send_header(header, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Write no log."""


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The error message for each name, from a process that takes the server for the hub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = """
import json, sys
from engine.config.data.hub import HubConfig
from engine.data.load import load_data
from engine.errors import DataError
said = {}
for name in sys.argv[1:]:
    try:
        load_data(HubConfig(name=name))
    except DataError as error:
        said[name] = str(error)
print(json.dumps(said))
"""
    environment = {key: value for key, value in os.environ.items() if "OFFLINE" not in key}
    environment |= {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path_factory.mktemp("hub")),
        "HF_TOKEN": "hf_wrong",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    result = subprocess.run(
        [sys.executable, "-c", code, *ANSWERS], env=environment, capture_output=True, check=True
    )
    server.shutdown()
    said: dict[str, str] = json.loads(result.stdout)
    return said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a/missing", "there is no data set a/missing on the hub"),
        ("a/private", "there is no data set a/private on the hub, or it is private"),
        ("a/gated", "only to those who accepted its terms"),
        ("a/token", "The hub rejects HF_TOKEN"),
    ],
)
def test_what_the_hub_answers_becomes_one_sentence(
    name: str, said: str, refusals: dict[str, str]
) -> None:
    assert said in refusals[name]
    assert "\n" not in refusals[name]
