"""DICOM images, read by pydicom: the first frame, in the units of the device."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_color_lut, apply_rescale
from pydicom.pixels.utils import pixel_array

from engine.data.image_limits import ImageFault, check_size


def dicom_image(source: io.BytesIO | Path) -> Image.Image:
    """Return a grey image of floats or a colour image of bytes, with ``pages`` in its ``info``.

    Rescale slope and intercept are applied, as for Hounsfield units; windows for display are not.
    Raises :class:`ImageFault`, and ``ValueError`` for damaged files.
    """
    try:
        dataset = dcmread(source)
        check_size(int(dataset.Columns), int(dataset.Rows))
        colored = dataset.SamplesPerPixel > 1 or dataset.PhotometricInterpretation.startswith("PAL")
        image = Image.fromarray(_colors(dataset) if colored else _values(dataset))
        image.info["pages"] = int(dataset.get("NumberOfFrames") or 1)
    except InvalidDicomError as error:
        raise ValueError(str(error)) from error
    except AttributeError as error:
        raise ImageFault("the DICOM file has no pixels") from error
    except (NotImplementedError, RuntimeError) as error:
        raise ImageFault(
            "no installed package decodes the compression of the DICOM image (try pylibjpeg)"
        ) from error
    return image


def _values(dataset: Dataset) -> NDArray[np.float32]:
    """Return brightness: ``MONOCHROME1``, where low values are white, is inverted."""
    stored = pixel_array(dataset, index=0).astype(np.int64)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        stored = (-1 if dataset.PixelRepresentation else 2**dataset.BitsStored - 1) - stored
    rescaled: NDArray[Any] = apply_rescale(stored, dataset)
    return rescaled.astype(np.float32)


def _colors(dataset: Dataset) -> NDArray[np.uint8]:
    pixels = pixel_array(dataset, index=0)
    if dataset.SamplesPerPixel == 1:
        pixels = apply_color_lut(pixels, dataset)
        bits = 8 * pixels.dtype.itemsize
    else:
        bits = dataset.BitsStored
    eight: NDArray[np.uint8] = (pixels >> max(0, bits - 8)).astype(np.uint8)
    return eight
