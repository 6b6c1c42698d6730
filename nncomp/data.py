"""Data sets: scikit-learn's digits, MNIST and Fashion-MNIST, split once and for all by a seed."""

import gzip
import hashlib
import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from nncomp.idx import read_idx


@dataclass(frozen=True, eq=False)
class Split:
    """Samples `x (n, features)` in float32 and integer labels `y (n,)`.

    >>> split = Split(np.zeros((3, 2), np.float32), np.array([0, 1, 0]))
    >>> len(split), split.x.shape
    (3, (3, 2))
    """

    x: np.ndarray
    y: np.ndarray

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or self.y.ndim < 1 or len(self.x) != len(self.y) or len(self.x) == 0:
            raise ValueError(
                f"samples (n, features) and targets (n, ...) do not fit: {self.x.shape} and {self.y.shape}"
            )
        if not np.isfinite(self.x).all():
            raise ValueError(f"samples of shape {self.x.shape} hold NaN or infinity")

    def first(self, n: int) -> "Split":
        """The first n samples, all if there are fewer."""
        return Split(self.x[:n], self.y[:n])

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, eq=False)
class Data:
    """What to learn from, what to choose by, and what to report on. Steps never see the test split.

    >>> data = Data.of(np.random.default_rng(0).random((10, 3)), np.arange(10) % 2, validation=4)
    >>> len(data.train), len(data.validation), data.test
    (6, 4, None)
    """

    train: Split
    validation: Split
    test: Split | None = None
    name: str = ""

    @classmethod
    def of(
        cls, x: np.ndarray, y: np.ndarray, validation: int, test: Split | None = None, seed: int = 0, name: str = ""
    ) -> Self:
        """Set `validation` samples aside, drawn by `seed`."""
        if len(x) != len(y):
            raise ValueError(f"{len(x)} samples and {len(y)} targets do not fit")
        if not 0 < validation < len(x):
            raise ValueError(f"cannot set {validation} of {len(x)} samples aside for validation")
        order = np.random.default_rng(seed).permutation(len(x))
        train, held = order[validation:], order[:validation]
        return cls(Split(x[train], y[train]), Split(x[held], y[held]), test, name)

    def without_test(self) -> Self:
        """The splits that steps may see."""
        return replace(self, test=None)


URL = {
    "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "fashion-mnist": "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
}

FILES = {  # name: md5 of the decompressed file, MNIST's and Fashion-MNIST's
    "train-images-idx3-ubyte": ("6bbc9ace898e44ae57da46a324031adb", "f4a8712d7a061bf5bd6d2ca38dc4d50a"),
    "train-labels-idx1-ubyte": ("a25bea736e30d166cdddb491f175f624", "9018921c3c673c538a1fc5bad174d6f9"),
    "t10k-images-idx3-ubyte": ("2646ac647ad5339dbf082846283269ea", "8181f5470baa50b63fa0f6fddb340f0a"),
    "t10k-labels-idx1-ubyte": ("27ae3e4e09519cfbb04c329615203637", "15d484375f8d13e6eb1aabb0c3f46965"),
}

LARGEST = 16 + 60_000 * 28 * 28  # bytes of the largest of them, decompressed

NAMES = ("digits", *URL)


def load_data(name: str, folder: str | Path | None = None, seed: int = 0) -> Data:
    """`digits` (8 x 8, bundled with scikit-learn), `mnist` or `fashion-mnist` (28 x 28), pixels scaled to [0, 1].

    The IDX files, gzipped or not, are looked for in `folder` or in `NNCOMP_DATA`, directly or in a subfolder of the
    set's name; with neither given they are downloaded once with pooch. Their decompressed bytes must be the published
    ones. `seed` draws the validation split: 5,000 of MNIST's 60,000, 300 of the digits, which also give 360 for test.

    >>> data = load_data("digits")
    >>> len(data.train), len(data.validation), len(data.test), data.train.x.shape[1]
    (1137, 300, 360, 64)
    """
    if name == "digits":
        return _digits(seed)
    if name not in URL:
        raise ValueError(f"unknown data set {name!r}; there are {', '.join(NAMES)}")
    place = folder or os.environ.get("NNCOMP_DATA")
    parts = [read_idx(_content(name, file, Path(place) if place else None)) for file in FILES]
    images, labels, test_images, test_labels = parts
    test = Split(_pixels(test_images), test_labels.astype(np.int64))
    return Data.of(_pixels(images), labels.astype(np.int64), 5000, test, seed, name)


def _pixels(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _digits(seed: int) -> Data:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    x, y = (x / 16).astype(np.float32), y.astype(np.int64)
    order = np.random.default_rng(1797).permutation(len(x))  # the test split is one and the same for every seed
    held, rest = order[:360], order[360:]
    return Data.of(x[rest], y[rest], 300, Split(x[held], y[held]), seed, "digits")


def _content(name: str, file: str, folder: Path | None) -> bytes:
    """The decompressed bytes of one IDX file, checked."""
    path = _found(name, file, folder) if folder else _downloaded(name, file)
    advice = "" if folder else "; delete it, and it is downloaded anew"
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as opened:
            content = opened.read(LARGEST + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole gzip file: {error}{advice}") from error
    expected = FILES[file][list(URL).index(name)]
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != expected:
        raise ValueError(f"{path} does not hold {name}'s published bytes (md5 {expected} when decompressed){advice}")
    return content


def _found(name: str, file: str, folder: Path) -> Path:
    for place in (folder / name, folder):
        for candidate in (place / f"{file}.gz", place / file):
            if candidate.is_file():
                return candidate
    raise FileNotFoundError(f"no {file} or {file}.gz in {folder} or {folder / name}; it should hold {name}'s IDX files")


def _downloaded(name: str, file: str) -> Path:
    import pooch

    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(pooch.retrieve(f"{URL[name]}{file}.gz", None, f"{file}.gz", pooch.os_cache("nncomp") / name))
    except OSError as error:  # requests' errors are OSErrors, with a page of their own causes
        where = f"{file}.gz cannot be downloaded from {URL[name]} ({type(error).__name__})"
        raise OSError(f"{where}: name a folder that has it, or set NNCOMP_DATA") from error
