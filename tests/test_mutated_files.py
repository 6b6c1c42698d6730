"""Files changed at random, and files too large: refused at once, in little memory."""

import io
import random
import tracemalloc

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from nncomp.files import from_bytes, to_bytes
from nncomp.files.container import LARGEST_HEADER, pack, unpack
from nncomp.network import MLP
from nncomp.weights import Sparse
from tests.strategies.hostile import good_networks, mutated, refused
from tests.test_hostile_files import DENSE


def test_mutated_files_are_networks_or_refused_at_once_in_little_memory() -> None:
    good = [to_bytes(network) for network in good_networks()]
    assert 1500 < refused(good, mutated, 2000, lambda size: 4 * size + 2**20) < 1900


def test_the_library_refuses_no_file_that_is_read_and_reads_the_same_arrays() -> None:
    rng, read = random.Random(1), 0
    good = [to_bytes(network) for network in good_networks()]
    for _ in range(2000):
        content = mutated(rng.choice(good), rng)
        try:
            ours = unpack(io.BytesIO(content), len(content))[1]
        except ValueError:
            continue
        theirs = safetensors.numpy.load(content)
        assert {n: (a.dtype, a.shape, a.tobytes()) for n, a in ours.items()} == {
            n: (a.dtype, a.shape, a.tobytes()) for n, a in theirs.items()
        }
        read += 1
    assert read > 100


@pytest.mark.parametrize("rows", [10, 300_000])
def test_large_files_are_checked_in_less_than_four_times_their_size(rows: int) -> None:
    per_row = 1 if rows > 10 else 100_000
    n = rows * per_row
    columns = np.tile(np.arange(per_row, dtype=np.min_scalar_type(per_row)), rows)
    start = (np.arange(rows + 1) * per_row).astype(np.uint32)
    network = DENSE.layers[0]
    sparse = Sparse(np.ones(n, np.float32), columns, start, per_row)
    del columns
    content = to_bytes(MLP((type(network)(sparse, np.zeros(rows, np.float32)),)))
    tracemalloc.start()
    try:
        from_bytes(content)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(content)
    finally:
        tracemalloc.stop()


def test_a_header_too_large_to_read_is_not_written() -> None:
    with pytest.raises(ValueError, match="more than the 1,048,576 a file may have"):
        pack({}, {"nncomp": "x" * LARGEST_HEADER})
