"""Samples from a user's files: arrays, tables of numbers, pictures."""

import csv
import math
from pathlib import Path

import numpy as np

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm")
LARGEST_PICTURE = 2**26
"""Pixels, before a picture is unpacked."""
MAGIC = b"\x93NUMPY"


def read_samples(
    path: str | Path, features: int, invert: bool = False, dtype: np.dtype | type = np.float32
) -> np.ndarray:
    """The samples `x (n, features)` that a file holds, in `dtype`; a ValueError or OSError if it holds none.

    `.npy`: an array of n rows, or of n pictures whose pixels are the features, or a single one. `.csv`: a sample a
    line, numbers with commas between, a first line without any number skipped. A picture: what is transparent white,
    made grey and, if it is no square of `features` pixels, scaled to one. Bytes are pixels and are divided by 255;
    floats stay as they are; other whole numbers are refused, as nobody knows their scale. `invert`: 1 - x, dark on
    bright becomes bright on dark.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "samples.csv"
    >>> np.savetxt(file, [[0.5, 1.0]], delimiter=",")
    >>> read_samples(file, features=2)
    array([[0.5, 1. ]], dtype=float32)
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".csv", *IMAGES):
        raise ValueError(f"{path}: samples are .npy, .csv or a picture ({', '.join(IMAGES)}), told by the name's end")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is no file to read samples from")
    x = _array(path) if suffix == ".npy" else _table(path) if suffix == ".csv" else _picture(path, features)
    if x.dtype == np.uint8:
        x = x / np.float32(255)
    if not np.issubdtype(x.dtype, np.floating):
        raise ValueError(f"{path}: samples are floats, scaled as in training, or bytes that are pixels, not {x.dtype}")
    if x.size == 0 or features not in (math.prod(x.shape[1:]), x.size):
        raise ValueError(f"{path}: the network takes {features} features a sample, and this has shape {x.shape}")
    with np.errstate(over="ignore"):
        x = x.reshape(-1, features).astype(dtype)
    if not np.isfinite(x).all():
        where = int(np.argmin(np.isfinite(x).all(axis=1)))
        raise ValueError(f"{path}: sample {where} holds NaN, infinity or a number too large for {x.dtype}")
    return 1 - x if invert else x


def _array(path: Path) -> np.ndarray:
    with open(path, "rb") as file:
        start = file.read(6)
    if start.startswith(b"PK"):
        raise ValueError(f"{path} holds several arrays: save one alone, as .npy")
    if start != MAGIC:
        raise ValueError(f"{path} is not an array: it starts with {start!r}, and a .npy file with {MAGIC!r}")
    try:
        return np.load(
            path, mmap_mode="r", allow_pickle=False
        )  # a shape larger than the file is refused, not allocated
    except Exception as error:  # a broken header gets as far as Python's tokenizer
        raise ValueError(f"{path} is not an array of numbers, or not a whole one: {error}") from error


def _table(path: Path) -> np.ndarray:
    rows: dict[int, list[float]] = {}
    whole = True
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for fields in reader:
                if not any(field.strip() for field in fields) or (not rows and not any(map(_number, fields))):
                    continue
                for field in fields:
                    if not _number(field):
                        raise ValueError(f"line {reader.line_num}: {field[:40]!r} is no number")
                    whole = whole and field.strip().lstrip("+-").isdigit()
                rows[reader.line_num] = [float(field) for field in fields]
                first = next(iter(rows))
                if len(fields) != len(rows[first]):
                    raise ValueError(
                        f"line {reader.line_num}: {len(fields)} numbers, where line {first} has {len(rows[first])}"
                    )
        if not rows:
            raise ValueError("there are no numbers with commas between in it")
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path} is not a table of numbers: {error}") from error
    x = np.array(list(rows.values()))
    if whole and np.abs(x).max() > 1:
        raise ValueError(f"{path}: samples are scaled as in training, and these are whole numbers up to {x.max():g}")
    return x


def _number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _picture(path: Path, features: int) -> np.ndarray:
    from PIL import Image

    side = math.isqrt(features)
    if side * side != features:
        raise ValueError(f"{path}: a picture gives a square number of features, and the network takes {features}")
    try:
        with Image.open(path) as image:
            if math.prod(image.size) > LARGEST_PICTURE:
                raise ValueError(f"{image.size[0]} x {image.size[1]} pixels are more than {LARGEST_PICTURE:,}")
            if image.mode in ("I", "F"):  # `convert` would cut it off at 255
                raise ValueError("its pixels have 32 bits; save it with 8 or 16")
            if image.mode.startswith("I;16"):
                grey = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            elif image.has_transparency_data:
                solid = image.convert("RGBA")
                grey = Image.alpha_composite(Image.new("RGBA", solid.size, "white"), solid).convert("L")
            else:
                grey = image.convert("L")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is not a picture that can be read: {error}") from error
    return np.asarray(grey if grey.size == (side, side) else grey.resize((side, side)))[None]
