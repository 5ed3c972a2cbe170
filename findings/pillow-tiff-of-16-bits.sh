#!/usr/bin/env bash
# Pillow reads two kinds of TIFF with 16 bits a channel as other pixels, without an error or a warning.
#
# Expected: the pixels are those that the file has. TIFF's tag PhotometricInterpretation says which end
#   of grey is white, PlanarConfiguration whether channels are stored one after the other; tifffile
#   writes both, and Pillow follows both in files of 8 bits.
# Observed with Pillow 13.0.0: colours of 16 bits in planes (without compression) are taken for 8 bits, so
#   that low and high bytes alternate along each row and the right half of the image is missing; grey of
#   16 bits whose zero is white comes out inverted.
#
# Needs Python 3.11 or later and a package index; takes a minute. Exits with 1 when something else is
# seen than above.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6

cat >"$folder/pixels.py" <<'PYTHON'
import io

import numpy as np
import PIL
import tifffile
from PIL import Image


def written(values, **options):
    """Return what Pillow and tifffile read of a file that tifffile wrote."""
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    pillow = np.asarray(Image.open(file)).astype(int)
    file.seek(0)
    return pillow, tifffile.imread(file).astype(int)


print(f"Pillow {PIL.__version__}, tifffile {tifffile.__version__}, numpy {np.__version__}")
planes = np.stack([np.arange(64).reshape(8, 8) + 64 * number for number in range(3)])
found = {}
for bits in (8, 16):
    largest = 2**bits - 1
    values = (planes * (largest // 255)).astype(f"uint{bits}")
    pillow, stored = written(values, photometric="rgb", planarconfig="separate")
    stored = np.moveaxis(stored, 0, 2) // (largest // 255)
    found["planes", bits] = bool((pillow == stored).all())
    print(f"colours in planes, {bits} bits: red of the last row {stored[7, :, 0].tolist()} in 255ths,")
    print(f"    read as {pillow[7, :, 0].tolist()}")
    pillow, stored = written(values[0], photometric="miniswhite")
    found["inverted", bits] = bool((pillow == largest - stored).all())
    print(f"zero is white, {bits} bits: a pixel that is {stored[0, 0]}, and so white, is {pillow[0, 0]}")
raise SystemExit(
    found
    != {
        ("planes", 8): True,
        ("inverted", 8): True,
        ("planes", 16): False,
        ("inverted", 16): False,
    }
)
PYTHON

"$folder/venv/bin/python" "$folder/pixels.py"
