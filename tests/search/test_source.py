"""Data that tasks load where they run: once, without their test split, and the same ones."""

from dataclasses import replace
from functools import partial

import pytest

from nncomp.data import Data
from nncomp.search.source import data_of, key_of
from tests.strategies.data import blobs

loads: list[int] = []


def loaded(seed: int) -> Data:
    loads.append(seed)
    return Data(blobs(20, seed), blobs(10, 9), blobs(5, 8), "blobs")


def test_loaded_once_and_never_the_test_split() -> None:
    loads.clear()
    first, again = data_of(partial(loaded, 1)), data_of(partial(loaded, 1))
    assert first is again and first.test is None and loads == [1]
    assert data_of(partial(loaded, 2)) is not first and loads == [1, 2]
    assert data_of(loaded(3)).test is None


def test_other_data_than_those_of_the_sender_are_refused() -> None:
    data = loaded(1)
    key = key_of(data)
    assert key == key_of(replace(data, test=None)) != key_of(loaded(2))
    assert key_of(data_of(partial(loaded, 1), key)) == key
    with pytest.raises(ValueError, match="a worker loads other data of the name 'blobs'"):
        data_of(partial(loaded, 2), key)
