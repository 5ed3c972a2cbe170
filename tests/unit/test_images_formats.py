"""Images of further formats, and of several pages."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from engine.config.data.image_folder import ImageFolderConfig
from engine.data.image_files import load_images
from engine.data.image_limits import ImageFault
from engine.data.images import decode, find_levels, look, read_header

SIZE = 16


def stripes(format_: str, **options: Any) -> bytes:
    """A file whose left half is red and whose right half is blue."""
    if format_ == "HEIF":
        from pillow_heif import register_heif_opener

        register_heif_opener()
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    pixels[:, : SIZE // 2, 0] = pixels[:, SIZE // 2 :, 2] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_, **options)
    return file.getvalue()


@pytest.mark.parametrize("format_", ["AVIF", "HEIF"])
def test_formats_of_telephones_are_read(format_: str) -> None:
    data = stripes(format_, quality=90)
    assert (read_header(data).width, read_header(data).grey) == (SIZE, False)
    pixels = decode(data, SIZE, 3).astype(int)
    assert pixels[8, 2].tolist() == pytest.approx([255, 0, 0], abs=25)
    assert pixels[8, 13].tolist() == pytest.approx([0, 0, 255], abs=25)


def dicom(values: np.ndarray, **fields: Any) -> bytes:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset.Rows, dataset.Columns = values.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    for name, value in fields.items():
        setattr(dataset, name, value)
    dataset.PixelData = values.tobytes()
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


def test_dicom_images_have_the_units_of_their_device() -> None:
    stored = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE) * 16
    data = dicom(stored, RescaleSlope=1, RescaleIntercept=-1024)
    header = read_header(data)
    assert (header.grey, header.depth, header.paged) == (True, "floating", False)
    levels = find_levels([data])
    assert levels.floating == (-1024, 4095)
    shares = decode(data, SIZE, 1, levels=levels)[:, :, 0]
    assert np.allclose(shares, stored / (4095 + 1024), atol=1e-6)


def test_dicom_images_whose_low_values_are_white_are_inverted() -> None:
    stored = np.full((SIZE, SIZE), 95, np.uint16)
    data = dicom(stored, PhotometricInterpretation="MONOCHROME1")
    assert find_levels([data]).floating == (0, 4095)
    shares = decode(data, SIZE, 1, levels=find_levels([data]))
    assert np.allclose(shares, 4000 / 4095)


def test_dicom_files_without_pixels_and_with_too_many_are_faults() -> None:
    stored = np.zeros((SIZE, SIZE), np.uint16)
    with pytest.raises(ImageFault, match="more than 100 million pixels"):
        read_header(dicom(stored, Rows=20_000, Columns=20_000))
    whole = dicom(stored)
    with pytest.raises(ImageFault, match="cannot be read"):
        read_header(whole[: len(whole) // 2])
    dataset = pydicom.dcmread(io.BytesIO(whole))
    del dataset.Rows
    file = io.BytesIO()
    dataset.save_as(file)
    with pytest.raises(ImageFault, match="the DICOM file has no pixels"):
        read_header(file.getvalue())


@pytest.mark.parametrize(
    ("name", "package", "data"),
    [("HEIC", "pillow_heif", stripes("HEIF")), ("DICOM", "pydicom", b"\0" * 128 + b"DICM")],
)
def test_a_format_of_another_package_names_the_extra(
    name: str, package: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "engine.data.dicom", raising=False)
    if name == "HEIC":
        monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(ImageFault, match=rf"{name} need pip install 'dltui\[{name.lower()}\]'"):
        read_header(data)


@pytest.mark.parametrize("format_", ["TIFF", "GIF", "WEBP"])
def test_of_several_pages_the_first_is_used_and_counted(format_: str) -> None:
    pages = [Image.new("RGB", (SIZE, SIZE), color) for color in ("red", "blue", "lime")]
    file = io.BytesIO()
    pages[0].save(file, format_, save_all=True, append_images=pages[1:])
    data = file.getvalue()
    assert decode(data, 4, 3)[0, 0].tolist() == pytest.approx([255, 0, 0], abs=3)
    assert look([data, stripes("TIFF"), stripes("GIF")], 224).paged == 1


def test_folders_have_images_of_these_formats(tmp_path: Path) -> None:
    for name, file, data in (
        ("a", "1.avif", stripes("AVIF")), ("a", "2.HEIC", stripes("HEIF")),
        ("b", "3.dcm", dicom(np.zeros((SIZE, SIZE), np.uint16))), ("b", "4.tif", stripes("TIFF")),
    ):  # fmt: skip
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / file).write_bytes(data)
    raw = load_images(ImageFolderConfig(path=str(tmp_path)))
    assert raw.train.num_rows == 4
    assert not raw.skips


def tiff(values: NDArray[np.uint16], order: str, *tags: tuple[int, int]) -> bytes:
    """An uncompressed TIFF, each plane a strip behind the header; Pillow writes none of these."""
    planes = values.astype(f"{order}u2").reshape(-1, *values.shape[-2:])
    size = planes[0].nbytes
    starts = [8 + number * size for number in range(len(planes))]
    extra = 8 + planes.nbytes
    lists = [[16] * len(planes), starts, [size] * len(planes)]
    entries = {256: [values.shape[-1]], 257: [values.shape[-2]], 258: lists[0], 259: [1],
               273: lists[1], 277: [len(planes)], 278: [values.shape[-2]], 279: lists[2],
               **{number: [value] for number, value in tags}}  # fmt: skip
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, extra)
    directory, behind = struct.pack(f"{order}H", len(entries)), b""
    for number, found in sorted(entries.items()):
        packed = struct.pack(f"{order}{len(found)}I", *found)
        if len(found) > 1:
            at = extra + 2 + 12 * len(entries) + 4 + len(behind)
            behind, packed = behind + packed, struct.pack(f"{order}I", at)
        directory += struct.pack(f"{order}HHI", number, 4, len(found)) + packed
    return head + planes.tobytes() + directory + bytes(4) + behind


@pytest.mark.parametrize("order", ["<", ">"])
def test_channels_of_16_bits_in_planes_are_read_with_all_bits(order: str) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (3, SIZE, SIZE)).astype(np.uint16)
    record = tiff(values, order, (262, 2), (284, 2))
    levels = find_levels([record])
    assert levels.integer == (0, 4095)
    assert decode(record, SIZE, 3, levels=levels) == pytest.approx(
        values.transpose(1, 2, 0) / 4095, abs=1e-6
    )


def test_grey_of_16_bits_whose_zero_is_white_is_inverted() -> None:
    values = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(1, SIZE, SIZE) * 257
    shown, inverted = (
        decode(record, SIZE, 1, levels=find_levels([record]))
        for record in (tiff(values, "<", (262, black)) for black in (1, 0))
    )
    assert shown[0, 0] == 0
    assert inverted == pytest.approx(1 - shown, abs=1e-6)


def test_planes_of_16_bits_that_cannot_be_read_are_a_fault_with_a_remedy() -> None:
    values = np.zeros((1, SIZE, SIZE), np.uint16)
    with pytest.raises(ImageFault, match="store its channels together"):
        decode(tiff(values, "<", (262, 1), (284, 2)), SIZE, 1)


def test_thumbnails_of_drives_and_deleted_images_are_no_classes(tmp_path: Path) -> None:
    image = stripes("PNG")
    for name in ("cats/1.png", "cats/@eaDir/1.png/SYNOPHOTO_THUMB_M.png", "dogs/2.png",
                 "#recycle/cats/3.png", "__MACOSX/dogs/._2.png", ".thumbnails/4.png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(image)
    read = load_images(ImageFolderConfig(path=str(tmp_path)))
    paths = [Path(path).relative_to(tmp_path) for path in read.train["image"].to_pylist()]
    assert sorted(map(str, paths)) == ["cats/1.png", "dogs/2.png"]
