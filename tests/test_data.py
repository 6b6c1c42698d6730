"""Data: fixed splits, IDX files found, checked and refused; MNIST itself where it is at hand."""

import gzip
import hashlib
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from nncomp import data as data_module
from nncomp.data import Data, Split, load_data
from nncomp.idx import read_idx


def idx(array: np.ndarray) -> bytes:
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 3), (2, 3, 4)])
def test_idx_reads_what_its_header_says(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    np.testing.assert_array_equal(read_idx(idx(array)), array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing"),
        (b"\x89PNG", "starts with 89 50 4e 47"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 0]), "not an IDX file of unsigned bytes"),
        (bytes([0, 0, 8, 3, 0, 0, 0, 9]), "3 dimensions ends inside its header"),
        (idx(np.zeros(5))[:-1], r"announces shape \(5,\) and holds 4 bytes"),
        (idx(np.zeros(5)) + b"x", "holds 6 bytes"),
        (bytes([0, 0, 8, 4]) + b"\xff" * 16, "holds 0 bytes"),
        (bytes([0, 0, 8, 65]) + b"\0\0\0\1" * 65 + b"x", "65 dimensions: at most 8"),
    ],
)
def test_hostile_idx_gets_one_clear_error(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_idx(content)


def test_digits_are_split_once_and_for_all() -> None:
    a, b, c = load_data("digits"), load_data("digits"), load_data("digits", seed=1)
    assert [len(s) for s in (a.train, a.validation, a.test)] == [1137, 300, 360]  # type: ignore[arg-type]
    assert a.train.x.dtype == np.float32 and a.train.x.min() == 0 and a.train.x.max() == 1
    assert a.train.x.tobytes() == b.train.x.tobytes() != c.train.x.tobytes()
    assert a.test.x.tobytes() == c.test.x.tobytes(), "the test split is the same for every seed"  # type: ignore[union-attr]
    rows = [{r.tobytes() for r in s.x} for s in (a.train, a.validation, a.test)]  # type: ignore[union-attr]
    assert not rows[0] & rows[1] and not rows[0] & rows[2] and not rows[1] & rows[2]
    assert a.without_test().test is None and a.without_test().train is a.train


def pairs(*splits: Split | None) -> list[tuple[bytes, int]]:
    """Samples with their labels, sorted: equal lists hold the same samples, labelled the same."""
    return sorted((x.tobytes(), int(y)) for split in splits if split for x, y in zip(split.x, split.y))


def test_the_splits_are_all_digits_with_their_own_labels() -> None:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    for seed in (0, 1):
        data = load_data("digits", seed=seed)
        assert pairs(data.train, data.validation, data.test) == pairs(Split((x / 16).astype(np.float32), y))
    assert data.test is not None and (np.bincount(data.test.y, minlength=10) > 20).all(), "every class is tested"


def test_data_of_keeps_labels_with_samples_and_the_seed_decides() -> None:
    x, y = np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20)
    a, b, c = (Data.of(x, y, 6, seed=seed) for seed in (0, 0, 1))
    assert pairs(a.train, a.validation) == pairs(Split(x, y)) and len(a.validation) == 6
    assert pairs(a.validation) == pairs(b.validation) != pairs(c.validation)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a miniature of MNIST, whose checksums stand in for the published ones."""
    rng = np.random.default_rng(0)
    contents = {
        "train-images-idx3-ubyte": idx(rng.integers(0, 256, (5010, 2, 2))),
        "train-labels-idx1-ubyte": idx(rng.integers(0, 10, 5010)),
        "t10k-images-idx3-ubyte": idx(rng.integers(0, 256, (7, 2, 2))),
        "t10k-labels-idx1-ubyte": idx(rng.integers(0, 10, 7)),
    }
    sums = {name: (hashlib.md5(c).hexdigest(), "") for name, c in contents.items()}
    monkeypatch.setattr(data_module, "FILES", sums)
    monkeypatch.delenv("NNCOMP_DATA", raising=False)
    for name, content in contents.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    return tmp_path


def test_idx_files_are_found_flat_nested_and_unpacked(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flat = load_data("mnist", small)
    assert [len(s) for s in (flat.train, flat.validation, flat.test)] == [10, 5000, 7]  # type: ignore[arg-type]
    (small / "all" / "mnist").mkdir(parents=True)
    for file in small.glob("*.gz"):
        (small / "all" / "mnist" / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    monkeypatch.setenv("NNCOMP_DATA", str(small / "all"))
    assert load_data("mnist").train.x.tobytes() == flat.train.x.tobytes()


@pytest.mark.parametrize("inside", ["", "mnist"])
@pytest.mark.parametrize("packed", [True, False])
def test_each_layout_by_itself(small: Path, inside: str, packed: bool) -> None:
    """Checked against the files' own bytes: pixels over 255, every label with its image."""
    place = small / "layout" / inside
    place.mkdir(parents=True)
    raw = {}
    for file in small.glob("*.gz"):
        content = gzip.decompress(file.read_bytes())
        raw[file.stem] = np.frombuffer(content[16 if "images" in file.stem else 8 :], np.uint8)
        (place / (file.name if packed else file.stem)).write_bytes(file.read_bytes() if packed else content)
    data = load_data("mnist", str(small / "layout"))
    x = raw["train-images-idx3-ubyte"].reshape(5010, 4).astype(np.float32) / np.float32(255)
    assert pairs(data.train, data.validation) == pairs(Split(x, raw["train-labels-idx1-ubyte"]))
    assert data.test is not None and data.test.y.tolist() == raw["t10k-labels-idx1-ubyte"].tolist()
    assert (data.test.x * 255).round().astype(np.uint8).tobytes() == raw["t10k-images-idx3-ubyte"].tobytes()
    assert data.name == "mnist" and data.train.x.dtype == np.float32 and data.train.y.dtype == np.int64


def test_the_seed_moves_the_validation_split_only(small: Path) -> None:
    a, b = load_data("mnist", small, seed=0), load_data("mnist", small, seed=1)
    assert pairs(a.validation) != pairs(b.validation)
    assert pairs(a.train, a.validation) == pairs(b.train, b.validation) and pairs(a.test) == pairs(b.test)


def test_a_folder_comes_before_the_environment_and_either_before_the_network(
    small: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pooch

    def no_network(*args: object) -> str:
        raise AssertionError("asked the network")

    monkeypatch.setattr(pooch, "retrieve", no_network)
    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.setenv("NNCOMP_DATA", str(empty))
    assert len(load_data("mnist", small).train) == 10
    with pytest.raises(FileNotFoundError) as error:
        load_data("mnist")
    assert all(word in str(error.value) for word in ("train-images-idx3-ubyte.gz", f"{empty} or {empty / 'mnist'}"))
    monkeypatch.setenv("NNCOMP_DATA", str(small))
    with pytest.raises(FileNotFoundError, match="mnist's IDX files"):
        load_data("mnist", empty)


def test_one_sets_bytes_are_not_taken_for_anothers(small: Path) -> None:
    with pytest.raises(ValueError, match="train-images-idx3-ubyte.gz does not hold fashion-mnist's published bytes"):
        load_data("fashion-mnist", small)


@pytest.mark.parametrize(("name", "host"), [("mnist", "ossci-datasets"), ("fashion-mnist", "zalandoresearch")])
def test_downloads_come_from_the_sets_own_place_and_are_checked(
    small: Path, monkeypatch: pytest.MonkeyPatch, name: str, host: str
) -> None:
    import pooch

    asked = []

    def retrieve(url: str, known_hash: object, fname: str, path: Path) -> str:
        asked.append((url, path.name))
        (small / fname).write_bytes(gzip.compress(b"something else"))
        return str(small / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(
        ValueError, match=f"train-images-idx3-ubyte.gz does not hold {name}'s published bytes .* delete it"
    ):
        load_data(name)
    assert len(asked) == 1 and host in asked[0][0] and asked[0][1] == name


def test_a_gzip_file_cut_short_is_named(small: Path) -> None:
    file = small / "train-labels-idx1-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ValueError, match="train-labels-idx1-ubyte.gz is not a whole gzip file"):
        load_data("mnist", small)


def test_a_file_that_unpacks_to_gigabytes_is_read_no_further_than_the_published_length(small: Path) -> None:
    file = small / "train-labels-idx1-ubyte.gz"
    with gzip.open(file, "wb", compresslevel=1) as packed:
        for _ in range(256):
            packed.write(bytes(2**20))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="train-labels-idx1-ubyte.gz does not hold mnist's published bytes"):
            load_data("mnist", small)
        assert tracemalloc.get_traced_memory()[1] < 2.5 * data_module.LARGEST
    finally:
        tracemalloc.stop()


def test_without_a_folder_it_is_downloaded_once(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch

    asked = []

    def retrieve(url: str, known_hash: object, fname: str, path: object) -> str:
        asked.append(url)
        return str(small / fname)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert len(load_data("mnist").train) == 10 and len(asked) == 4
    assert all(url.startswith("https://") and url.endswith("-ubyte.gz") for url in asked)


def test_a_download_that_fails_says_where_else_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch

    def no_network(*_: object) -> str:
        raise ConnectionError("a page of causes")

    monkeypatch.delenv("NNCOMP_DATA", raising=False)
    monkeypatch.setattr(pooch, "retrieve", no_network)
    with pytest.raises(OSError, match="cannot be downloaded from https://.* .ConnectionError.: name a folder") as error:
        load_data("mnist")
    assert "causes" not in str(error.value)


def test_wrong_bytes_and_missing_files_are_named(small: Path) -> None:
    (small / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(7))))
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte.gz does not hold mnist's published bytes"):
        load_data("mnist", small)
    (small / "t10k-labels-idx1-ubyte.gz").write_bytes(b"\x1f\x8bnot gzip")
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte.gz is not a whole gzip file"):
        load_data("mnist", small)
    (small / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="no t10k-labels-idx1-ubyte or t10k-labels-idx1-ubyte.gz in"):
        load_data("mnist", small)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: load_data("cifar"), "unknown data set 'cifar'; there are digits, mnist, fashion-mnist"),
        (lambda: Split(np.ones((2, 3)), np.ones(3)), r"\(2, 3\) and \(3,\)"),
        (lambda: Split(np.ones((0, 3)), np.ones(0)), r"\(0, 3\)"),
        (lambda: Split(np.array([[np.nan]]), np.zeros(1)), r"\(1, 1\) hold NaN"),
        (lambda: Data.of(np.ones((5, 2)), np.zeros(5), validation=5), "cannot set 5 of 5 samples aside"),
    ],
)
def test_bad_data_get_one_clear_error(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.skipif("NNCOMP_DATA" not in os.environ, reason="NNCOMP_DATA names no folder with MNIST")
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_sets(name: str) -> None:
    data = load_data(name)
    assert [s.x.shape for s in (data.train, data.validation, data.test)] == [  # type: ignore[union-attr]
        (55_000, 784), (5_000, 784), (10_000, 784)
    ]  # fmt: skip
    assert np.bincount(np.concatenate([data.train.y, data.validation.y])).sum() == 60_000
    assert data.train.x.max() == 1 and set(data.test.y) == set(range(10))  # type: ignore[union-attr]


COUNTS = {  # LeCun's and Zalando's, by class
    "mnist": (
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ),
    "fashion-mnist": ([6000] * 10, [1000] * 10),
}


@pytest.mark.skipif("NNCOMP_DATA" not in os.environ, reason="NNCOMP_DATA names no folder with MNIST")
@pytest.mark.parametrize("name", COUNTS)
def test_the_real_sets_classes_and_seeds(name: str) -> None:
    a, b = load_data(name), load_data(name, seed=1)
    assert a.test is not None and b.test is not None
    assert np.bincount(np.concatenate([a.train.y, a.validation.y])).tolist() == COUNTS[name][0]
    assert np.bincount(a.test.y).tolist() == COUNTS[name][1]
    assert a.train.x.min() == 0 and a.train.x.dtype == np.float32 and a.train.y.dtype == np.int64
    assert a.test.x.tobytes() == b.test.x.tobytes() and a.validation.x.tobytes() != b.validation.x.tobytes()
