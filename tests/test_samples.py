"""Samples from arrays, tables and pictures; whatever holds none is one line."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nncomp.samples import IMAGES, read_samples
from tests.strategies.weights import seeds

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 4)).astype(np.uint8)
X = (PIXELS.reshape(3, 16) / 255).astype(np.float32)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (X, X), (X.astype(np.float64), X), (X.reshape(3, 4, 4), X), (X[0], X[:1]), (X[0].reshape(4, 4), X[:1]),
        (PIXELS, X), (PIXELS[0], X[:1]), (np.asfortranarray(X), X), (X[::-1], X[::-1]),
        (np.eye(16, dtype=np.float32), np.eye(16)), (X.astype(">f8"), X),
    ],
)  # fmt: skip
def test_arrays(tmp_path: Path, array: np.ndarray, expected: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", array)
    x = read_samples(tmp_path / "x.npy", 16)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, expected.astype(np.float32))
    np.testing.assert_array_equal(read_samples(tmp_path / "x.npy", 16, invert=True), 1 - x)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=seeds,
    head=st.sampled_from(["", "a,b,c\n", "\ufeffa,b,c\n", "\n"]),
    end=st.sampled_from(["", "\n", "\r\n\r\n"]),
)
def test_tables(tmp_path: Path, seed: int, head: str, end: str) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rng.integers(1, 5), 3)).astype(np.float32)
    text = "\n".join(",".join(repr(float(v)) for v in row) for row in x)
    (tmp_path / "x.csv").write_text(head + text + end, encoding="utf-8")
    np.testing.assert_array_equal(read_samples(tmp_path / "x.csv", 3), x)


def test_pictures_are_made_grey_and_square(tmp_path: Path) -> None:
    Image.fromarray(PIXELS[0]).save(tmp_path / "x.PNG")
    np.testing.assert_array_equal(read_samples(tmp_path / "x.PNG", 16), X[:1])
    Image.fromarray(np.stack([PIXELS[0]] * 3, axis=-1)).save(tmp_path / "rgb.bmp")
    np.testing.assert_array_equal(read_samples(tmp_path / "rgb.bmp", 16), X[:1])
    Image.fromarray(PIXELS[0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_samples(tmp_path / "deep.png", 16), X[:1])
    Image.fromarray(np.full((50, 30), 51, np.uint8)).save(tmp_path / "large.png")
    np.testing.assert_allclose(read_samples(tmp_path / "large.png", 16), np.full((1, 16), 0.2), rtol=1e-6)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    ink = np.zeros((4, 4, 4), np.uint8)
    ink[1, 2, 3] = 255  # one black pixel, all else clear
    for name, mode in (("x.png", "RGBA"), ("x.webp", "RGBA"), ("grey.png", "LA")):
        Image.fromarray(ink, "RGBA").convert(mode).save(tmp_path / name, lossless=True)
        expected = np.ones((4, 4), np.float32)
        expected[1, 2] = 0
        np.testing.assert_array_equal(read_samples(tmp_path / name, 16).reshape(4, 4), expected)


def test_numbers_in_quotes_and_whole_zeros_and_ones(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('"0","1"\n"1","0"\n')
    np.testing.assert_array_equal(read_samples(tmp_path / "x.csv", 2), [[0, 1], [1, 0]])


def test_float64_for_a_network_of_float64(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0.1, 1e300]]))
    np.testing.assert_array_equal(read_samples(tmp_path / "x.npy", 2, dtype=np.float64), [[0.1, 1e300]])
    with pytest.raises(ValueError, match="sample 0 holds .* too large for float32"):
        read_samples(tmp_path / "x.npy", 2)


def test_a_pipe_or_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.npy")
    (tmp_path / "x.csv").mkdir()
    for name in ("x.npy", "x.csv"):
        with pytest.raises(ValueError, match="is no file to read samples from"):
            read_samples(tmp_path / name, 4)


def broken(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


HUGE = (
    b"\x93NUMPY\x01\x00v\x00"
    + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}".ljust(117)
    + b"\n"
)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.txt", b"1,2", "samples are .npy, .csv or a picture (.png"),
        ("x", b"1,2", "samples are .npy, .csv or a picture"),
        ("x.npy", b"", "is not an array: it starts with b''"),
        ("x.npy", b"1.0 2.0 3.0", "is not an array: it starts with b'1.0 2.'"),
        ("x.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "is not an array of numbers"),
        ("x.npy", HUGE, "is not an array of numbers"),
        ("x.npy", b"PK\x05\x06" + bytes(18), "holds several arrays"),
        ("x.csv", b"", "there are no numbers with commas between in it"),
        ("x.csv", b"a,b\n", "there are no numbers with commas between in it"),
        ("x.csv", b"1,2\n3\n", "is not a table of numbers: line 2: 1 numbers, where line 1 has 2"),
        ("x.csv", b"a,b\n\n1,2\n3,x\n", "is not a table of numbers: line 4: 'x' is no number"),
        ("x.csv", b"0.5,O.5\n0.5,0.5\n", "line 1: 'O.5' is no number"),
        ("x.csv", b"O.5,0.5\n0.5,0.5\n", "line 1: 'O.5' is no number"),
        ("x.csv", b"0.5;0.5\n0.5;0.5\n", "there are no numbers with commas between"),
        ("x.csv", b"0,16,3\n", "scaled as in training, and these are whole numbers up to 16"),
        ("x.csv", b",".join([b"1e300"] * 16), "sample 0 holds NaN, infinity or a number too large for float32"),
        ("x.csv", b"\xff\xff", "is not a table of numbers"),
        ("x.csv", b"1.0,2.0,3.0\n", "takes 16 features a sample, and this has shape (1, 3)"),
        ("x.csv", b",".join([b"nan"] * 16), "sample 0 holds NaN"),
        ("x.png", b"", "is not a picture that can be read"),
        ("x.png", b"\x89PNG\r\n\x1a\n", "is not a picture that can be read"),
    ],
)
def test_what_holds_no_samples_is_one_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = broken(tmp_path, name, content)
    with pytest.raises(ValueError) as error:
        read_samples(path, 16)
    assert message in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize(
    "array", [np.array(["a"] * 16), np.arange(16), np.array([None] * 16), np.zeros((0, 16)), np.array(3.0), X + 1j]
)
def test_arrays_of_no_samples(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match="x.npy"):
        read_samples(tmp_path / "x.npy", 16)


def test_a_picture_needs_a_square_network_and_a_modest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PIXELS[0]).save(tmp_path / "x.png")
    with pytest.raises(ValueError, match="a picture gives a square number of features, and the network takes 15"):
        read_samples(tmp_path / "x.png", 15)
    monkeypatch.setattr("nncomp.samples.LARGEST_PICTURE", 15)
    with pytest.raises(ValueError, match="4 x 4 pixels are more than 15"):
        read_samples(tmp_path / "x.png", 16)
    monkeypatch.undo()
    Image.fromarray(PIXELS[0].astype(np.int32)).save(tmp_path / "wide.tif")
    with pytest.raises(ValueError, match="wide.tif is not a picture that can be read: its pixels have 32 bits"):
        read_samples(tmp_path / "wide.tif", 16)
    for suffix in (".npy", ".csv", IMAGES[0]):
        with pytest.raises(FileNotFoundError):
            read_samples(tmp_path / f"none{suffix}", 16)
