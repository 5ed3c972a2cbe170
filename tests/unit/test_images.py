"""Images of every format become arrays of one size, or are refused with a reason."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.data.images import ImageFault, decode, decode_all, look, read_header


def stored(image: Image.Image, format: str = "PNG", **options: Any) -> dict[str, Any]:
    file = io.BytesIO()
    image.save(file, format, **options)
    return {"bytes": file.getvalue(), "path": None}


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def ramp(mode: str = "RGB", size: tuple[int, int] = (8, 8)) -> Image.Image:
    values = np.linspace(0, 255, size[0] * size[1] * 3).reshape(size[1], size[0], 3)
    return Image.fromarray(values.astype(np.uint8)).convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_of_png_is_read(mode: str, channels: int) -> None:
    assert decode(stored(ramp(mode)), 8, channels).shape == (8, 8, channels)


def test_sixteen_bits_keep_their_brightness() -> None:
    values = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    read = decode(stored(Image.fromarray(values)), 8, 1)[..., 0]
    assert np.abs(read.astype(int) - values / 257).max() <= 0.5


def test_what_is_transparent_becomes_white() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert (decode(stored(image), 4, 3) == 255).all()


def test_a_photograph_is_turned_upright() -> None:
    image = Image.fromarray(np.repeat([[255, 0]], 2, 0).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    read = decode(stored(image, "PNG", exif=exif), 2, 1)[..., 0]
    assert read.tolist() == [[255, 255], [0, 0]]


def test_a_single_pixel_is_enlarged() -> None:
    assert (decode(stored(Image.new("RGB", (1, 1), (7, 8, 9))), 16, 3) == [7, 8, 9]).all()


def test_a_long_strip_costs_no_more_than_its_middle() -> None:
    assert decode(stored(Image.new("L", (30_000, 1))), 64, 1).shape == (64, 64, 1)


def test_ten_megapixels_are_read() -> None:
    record = stored(Image.new("RGB", (4000, 2500), (10, 200, 30)), "JPEG")
    assert np.abs(decode(record, 32, 3).astype(int) - [10, 200, 30]).max() < 6


def test_crop_takes_the_middle_and_stretch_takes_all() -> None:
    wide = np.zeros((4, 8), np.uint8)
    wide[:, :2] = wide[:, 6:] = 255
    record = stored(Image.fromarray(wide))
    assert (decode(record, 4, 1, "crop") == 0).all()
    assert decode(record, 4, 1, "stretch").max() > 200


def test_a_small_file_cannot_ask_for_all_memory() -> None:
    for side in (11_000, 60_000):
        head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"")
        with pytest.raises(ImageFault, match="more than 100 million pixels"):
            read_header(bomb)


def test_post_script_is_never_interpreted() -> None:
    with pytest.raises(ImageFault, match="cannot be read"):
        read_header(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
def test_a_file_that_was_cut_off_is_a_fault_and_no_crash(format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    whole = stored(Image.fromarray(noise), format)["bytes"]
    for length in (0, 1, 10, len(whole) // 2):
        with pytest.raises(ImageFault):
            decode(whole[:length], 16, 3)


def test_noise_in_a_file_never_raises_anything_else() -> None:
    random = np.random.default_rng(1)
    whole = bytearray(stored(ramp("P", (32, 32)))["bytes"])
    for _ in range(200):
        damaged = bytearray(whole)
        for place in random.integers(8, len(whole), 4):
            damaged[place] = random.integers(256)
        with contextlib.suppress(ImageFault):
            decode(bytes(damaged), 16, 3)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"bytes": None, "path": None}, "there is no image"),
        ({"bytes": None, "path": "/nowhere/x.png"}, "does not exist"),
        ({"bytes": b"hello", "path": "x.png"}, "cannot be read"),
        (None, "there is no image"),
    ],
)
def test_what_is_no_image_says_so(record: Any, reason: str) -> None:
    with pytest.raises(ImageFault, match=reason):
        read_header(record)


def test_a_path_is_read_where_there_are_no_bytes(tmp_path: Path) -> None:
    ramp().save(tmp_path / "ramp.png")
    assert decode({"bytes": None, "path": str(tmp_path / "ramp.png")}, 8, 3).shape == (8, 8, 3)


def test_threads_keep_the_order_and_name_the_faults() -> None:
    records = [stored(Image.new("L", (2, 2), shade)) for shade in range(200)]
    records[17] = {"bytes": b"broken", "path": None}
    pixels, faults = decode_all(records, 2, 1, "crop")
    assert list(faults) == [17]
    assert [int(pixel) for pixel in pixels[:, 0, 0, 0]] == [*range(17), 0, *range(18, 200)]


def test_most_images_decide_the_size() -> None:
    records = [stored(Image.new("L", (8, 8))) for _ in range(5)] + [stored(ramp("RGB", (40, 30)))]
    found = look(records, 224)
    assert (found.side, found.grey) == (8, False)
    assert found.sizes == {"8×8": 5, "40×30": 1}


def test_the_size_is_bounded() -> None:
    assert look([stored(Image.new("L", (900, 600)))], 224).side == 224
