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
from numpy.typing import NDArray
from PIL import Image

from engine.data.image_levels import Levels
from engine.data.image_limits import ImageFault
from engine.data.images import decode, decode_all, find_levels, look, read_header


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


def deep(values: Any, kind: Any = np.uint16) -> dict[str, Any]:
    """A grey image of more than eight bits."""
    image = Image.fromarray(np.asarray(values, kind))
    return stored(image, "PNG" if kind is np.uint16 else "TIFF")


def deep_colour(values: NDArray[np.uint16]) -> bytes:
    """A PNG of 16 bits a channel, which PIL cannot write."""
    height, width, channels = values.shape
    kind = {2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in parts)


@pytest.mark.parametrize(
    ("values", "kind", "levels"),
    [
        ([[0, 200]], np.uint16, Levels(integer=(0, 255), exact=True)),
        ([[0, 4000]], np.uint16, Levels(integer=(0, 4095), exact=True)),
        ([[0, 60_000]], np.uint16, Levels(integer=(0, 65_535), exact=True)),
        ([[-1000, 3000]], np.int32, Levels(integer=(-1000, 4095), exact=True)),
        ([[0, 100_000]], np.int32, Levels(integer=(0, 100_000), exact=True)),
        ([[0, 0.5]], np.float32, Levels(floating=(0, 1), exact=True)),
        ([[0, 200]], np.float32, Levels(floating=(0, 255), exact=True)),
        ([[np.nan, np.inf, 0.5]], np.float32, Levels(floating=(0, 1), exact=True)),
        ([[0, 200]], np.uint8, Levels()),
    ],
)
def test_the_scale_of_many_bits_holds_all_training_values(
    values: Any, kind: Any, levels: Levels
) -> None:
    records = [deep(values, kind), {"bytes": b"broken", "path": None}]
    assert find_levels([records[number] for number in look(records, 8).deep]) == levels


def test_one_bright_pixel_changes_no_other_pixel() -> None:
    plain = np.full((4, 4), 200, np.uint16)
    bright = plain.copy()
    bright[0, 0] = 4000
    levels = find_levels([deep(plain), deep(bright)])
    for values in (plain, bright):
        assert decode(deep(values), 4, 1, "crop", levels)[..., 0] == pytest.approx(values / 4095)


def test_dark_and_bright_images_of_many_bits_differ() -> None:
    shades = (20, 200, 300, 4000)
    records = [deep(np.full((4, 4), shade)) for shade in shades]
    pixels, _ = decode_all(records, 4, 1, "crop", find_levels(records))
    assert pixels[:, 2, 2, 0] == pytest.approx(np.array(shades) / 4095)


@pytest.mark.parametrize("shade", [200, 300])
def test_many_bits_after_training_on_eight_have_one_scale(shade: int) -> None:
    record = deep(np.full((4, 4), shade))
    assert (decode(record, 4, 1, "crop", Levels()) == 1).all()


def test_eight_and_more_bits_share_a_scale() -> None:
    levels = Levels(integer=(0, 4095), exact=True)
    assert decode(stored(Image.new("L", (2, 2), 51)), 2, 1, "crop", levels) == pytest.approx(0.2)
    assert decode(deep(np.full((2, 2), 819)), 2, 3, "crop", levels) == pytest.approx(0.2)


def test_colours_of_twelve_bits_are_read_whole() -> None:
    values = np.random.default_rng(0).integers(0, 4096, (4, 4, 3)).astype(np.uint16)
    record = {"bytes": deep_colour(values), "path": None}
    assert look([record], 8).deep == (0,)
    levels = find_levels([record])
    assert levels == Levels(integer=(0, 4095), exact=True)
    assert decode(record, 4, 3, "crop", levels) == pytest.approx(values / 4095)
    grey = values @ np.array([0.299, 0.587, 0.114]) / 4095
    assert decode(record, 4, 1, "crop", levels)[..., 0] == pytest.approx(grey)


def test_transparent_colours_of_sixteen_bits_become_white() -> None:
    values = np.zeros((2, 2, 4), np.uint16)
    values[0, 0] = 65_535
    record = deep_colour(values)
    read = decode(record, 2, 3, "crop", find_levels([record]))
    assert (read == 1).all()


@pytest.mark.parametrize(("highest", "bits"), [(4095, 12), (60_000, 16)])
@pytest.mark.parametrize("opacity", [65_535, 32_768, 0])
def test_grey_with_opacity_keeps_all_of_its_bits(highest: int, bits: int, opacity: int) -> None:
    values = np.array([[0, 1], [257, highest]], np.uint16)
    record = deep_colour(np.stack([values, np.full_like(values, opacity)], axis=2))
    assert read_header(record).grey
    levels = find_levels([record])
    assert levels == Levels(integer=(0, 2**bits - 1), exact=True)
    share = opacity / 65_535
    expected = values / (2**bits - 1) * share + (1 - share)
    assert np.allclose(decode(record, 2, 1, levels=levels)[:, :, 0], expected, atol=1e-6)
    assert np.allclose(decode(record, 2, 3, levels=levels), expected[:, :, None], atol=1e-6)


def test_a_hidden_shade_of_sixteen_bits_becomes_white() -> None:
    values = np.array([[0, 1000], [2000, 4095]], np.uint16)
    record = stored(Image.fromarray(values), "PNG", transparency=1000)
    expected = np.array([[0, 4095], [2000, 4095]]) / 4095
    assert np.allclose(decode(record, 2, 1, levels=find_levels([record]))[:, :, 0], expected)


@pytest.mark.parametrize("highest", [65_535, 4095])
def test_colours_of_sixteen_bits_without_compression_are_read_whole(highest: int) -> None:
    values = np.random.default_rng(0).integers(0, highest + 1, (4, 4, 3))
    head = f"P6 4 4 {highest}\n".encode()
    record = {"bytes": head + values.astype(">u2").tobytes(), "path": None}
    levels = Levels(exact=True)
    assert np.allclose(decode(record, 4, 3, levels=levels), values / highest, atol=1e-6)


def test_an_image_of_many_bits_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    record = stored(Image.fromarray(np.array([[4095, 0]] * 2, np.uint16)), "PNG", exif=exif)
    levels = Levels(integer=(0, 4095), exact=True)
    assert decode(record, 2, 1, "crop", levels)[..., 0].tolist() == [[1, 1], [0, 0]]


def test_without_levels_each_image_has_its_own_scale_as_in_earlier_runs() -> None:
    assert (decode(deep(np.full((2, 2), 200)), 2, 1, "crop", None) == 200).all()
    assert (decode(deep(np.full((2, 2), 65_535)), 2, 1, "crop", None) == 255).all()


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
        ({"bytes": None, "path": "/"}, "it is a folder"),
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


def test_a_path_that_no_file_can_have_is_a_fault() -> None:
    with pytest.raises(ImageFault, match="cannot be read"):
        decode({"path": "pictures/\0.png"}, 8, 3)
