"""Samples from a user's files: arrays, tables of numbers, pictures."""

import math
from pathlib import Path

import numpy as np

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm")
LARGEST_PICTURE = 2**26
"""Pixels, before a picture is unpacked."""


def read_samples(path: str | Path, features: int, invert: bool = False) -> np.ndarray:
    """The samples `x (n, features)` in float32 that a file holds; a ValueError or OSError if it holds none.

    `.npy`: an array of n rows, or of n pictures whose pixels are the features, or a single one. `.csv`: a sample a
    line, numbers with commas between, a first line of names skipped. A picture: made grey and, if it is no square of
    `features` pixels, scaled to one. Bytes are pixels and are divided by 255; floats stay as they are. `invert`: 1 - x,
    dark on bright becomes bright on dark.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        x = _array(path)
    elif suffix == ".csv":
        x = _table(path)
    elif suffix in IMAGES:
        x = _picture(path, features)
    else:
        raise ValueError(
            f"{path}: samples are .npy, .csv or a picture ({', '.join(IMAGES)}), not {suffix or 'nameless'}"
        )
    if x.dtype == np.uint8:
        x = x / np.float32(255)
    if not np.issubdtype(x.dtype, np.floating):
        raise ValueError(f"{path}: samples are floats, or bytes that are pixels, not {x.dtype}")
    if x.size == 0 or features not in (math.prod(x.shape[1:]), x.size):
        raise ValueError(f"{path}: the network takes {features} features a sample, and this has shape {x.shape}")
    x = x.reshape(-1, features).astype(np.float32)
    if not np.isfinite(x).all():
        raise ValueError(f"{path}: sample {int(np.argmin(np.isfinite(x).all(axis=1)))} holds NaN or infinity")
    return 1 - x if invert else x


def _array(path: Path) -> np.ndarray:
    try:
        x = np.load(path, mmap_mode="r", allow_pickle=False)  # a shape larger than the file is refused, not allocated
    except OSError:
        raise
    except Exception as error:  # a broken header gets as far as Python's tokenizer
        raise ValueError(f"{path} is not an array of numbers: {error}") from error
    if not isinstance(x, np.ndarray):
        x.close()
        raise ValueError(f"{path} holds several arrays: save one alone, as .npy")
    return x


def _table(path: Path) -> np.ndarray:
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        if lines and not _numbers(lines[0]):
            del lines[0]
        if not lines:
            raise ValueError("there are no numbers in it")
        return np.loadtxt(lines, np.float32, delimiter=",", ndmin=2)
    except ValueError as error:
        raise ValueError(f"{path} is not a table of numbers: {error}") from error


def _numbers(line: str) -> bool:
    try:
        return bool([float(field) for field in line.split(",")])
    except ValueError:
        return False


def _picture(path: Path, features: int) -> np.ndarray:
    from PIL import Image

    side = math.isqrt(features)
    if side * side != features:
        raise ValueError(f"{path}: a picture gives a square number of features, and the network takes {features}")
    try:
        with Image.open(path) as image:
            if math.prod(image.size) > LARGEST_PICTURE:
                raise ValueError(f"{image.size[0]} x {image.size[1]} pixels are more than {LARGEST_PICTURE:,}")
            if image.mode.startswith("I;16"):  # what `convert` would cut off at 255
                grey = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            else:
                grey = image.convert("L")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is not a picture that can be read: {error}") from error
    return np.asarray(grey if grey.size == (side, side) else grey.resize((side, side)))[None]
