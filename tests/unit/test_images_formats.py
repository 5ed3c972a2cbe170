"""Images of further formats, and of several pages."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
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
