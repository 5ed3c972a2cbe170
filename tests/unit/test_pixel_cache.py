"""Decoded images are cached on the disk within a limit, and a full disk is no error."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.vision.files.pixel_cache import PixelCache

LIKE = np.zeros((4, 4, 3), np.uint8)


def image(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, LIKE.shape, np.uint8)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("DLTUI_HOME", str(tmp_path))
    return []


def test_images_come_back_as_they_were(told: list[str]) -> None:
    cache = PixelCache(100, LIKE, 1 << 20, told.append)
    for row in (99, 3, 50):
        assert cache.get(row) is None
        cache.put(row, image(row))
    for row in (3, 50, 99):
        found = cache.get(row)
        assert found is not None
        assert np.array_equal(found, image(row))
    assert not told


def test_shares_of_white_keep_their_type(told: list[str]) -> None:
    like = np.zeros((2, 2, 1), np.float32)
    cache = PixelCache(1, like, 1 << 20, told.append)
    cache.put(0, like + np.float32(0.1))
    found = cache.get(0)
    assert found is not None
    assert found.dtype == np.float32
    assert np.array_equal(found, like + np.float32(0.1))


def test_only_as_many_images_are_held_as_the_limit_allows(told: list[str]) -> None:
    cache = PixelCache(100, LIKE, 10 * LIKE.nbytes, told.append)
    for row in range(100):
        cache.put(row, image(row))
    assert [row for row in range(100) if cache.get(row) is not None] == list(range(10))


def test_the_file_has_no_name_and_leaves_nothing(told: list[str], tmp_path: Path) -> None:
    cache = PixelCache(10, LIKE, 1 << 20, told.append)
    cache.put(0, image(0))
    assert not list((tmp_path / "cache" / "images").iterdir())


def test_a_full_disk_ends_the_cache_with_one_warning(
    told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = PixelCache(10, LIKE, 1 << 20, told.append)
    cache.put(0, image(0))

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    for row in (1, 2):
        cache.put(row, image(row))
    assert cache.get(0) is None
    assert len(told) == 1
    assert "No space left on device" in told[0]


def test_processes_that_give_the_same_name_share_their_images(
    told: list[str], tmp_path: Path
) -> None:
    ours = PixelCache(10, LIKE, 1 << 20, told.append, "run")
    program = (
        "import sys, numpy as np\n"
        "from engine.vision.files.pixel_cache import PixelCache\n"
        "like = np.zeros((4, 4, 3), np.uint8)\n"
        "cache = PixelCache(10, like, 1 << 20, print, sys.argv[1])\n"
        "known = cache.get(3)\n"
        "print('none' if known is None else known.sum())\n"
        "cache.put(5, like + 7)\n"
    )
    ours.put(3, LIKE + 1)

    def other(name: str) -> str:
        command = [sys.executable, "-c", program, name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    assert other("run") == str(LIKE.size)
    found = ours.get(5)
    assert found is not None
    assert found.sum() == 7 * LIKE.size
    assert other("another run") == "none"
    folder = tmp_path / "cache" / "images"
    assert len(list(folder.iterdir())) == 1, "another process leaves the file to those that use it"
    del ours
    assert not list(folder.iterdir())


def test_what_a_crashed_process_left_is_deleted(told: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "images"
    folder.mkdir(parents=True)
    (folder / "lost.shared").write_bytes(b"1")
    PixelCache(10, LIKE, 1 << 20, told.append)
    assert not list(folder.iterdir())
