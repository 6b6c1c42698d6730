"""The dense layer's product: exact on whole numbers, within rounding on floats, BLAS where that is faster."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels import dense
from nncomp.kernels.dense import dense_matmul, dense_matmul_reference
from nncomp.kernels.simd.path import LANES, PATH, ROWS, VECTORS
from nncomp.kernels.threads import limit_threads
from tests.oracles import assert_sums, matmul_pairs, unchanged
from tests.strategies.arrays import FLOATS, LAYOUTS, floats

each_float = pytest.mark.parametrize("dtype", FLOATS)


@pytest.fixture
def always_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave nothing to BLAS."""
    monkeypatch.setattr(dense, "_left_to_blas", lambda x, w: PATH == "scalar" or not w.flags.c_contiguous)


@pytest.mark.usefixtures("always_here")
@each_float
@given(st.data())
def test_the_product_within_rounding(dtype: type, data: st.DataObject) -> None:
    sides = st.integers(0, 20)
    x = data.draw(floats(dtype, (data.draw(sides), inputs := data.draw(sides))))
    w = data.draw(floats(dtype, (data.draw(sides), inputs)))
    for function in (dense_matmul, dense_matmul_reference):
        result = unchanged(function, x, w)
        assert (result.dtype, result.shape) == (dtype, (len(x), len(w)))
        assert_sums(result, matmul_pairs(x, w))


@pytest.mark.usefixtures("always_here")
@each_float
def test_every_tail(dtype: type) -> None:
    """Samples, inputs and outputs around those of a register, a tile and a panel; the sums of these are exact."""
    rng, panel = np.random.default_rng(0), VECTORS * LANES
    batches = {*range(6), *(m + d for m in (LANES, 2 * LANES, 3 * LANES, panel, 2 * panel) for d in (-1, 0, 1))}
    cases = [(batch, 7, 2 * ROWS + 1) for batch in batches if batch >= 0]
    cases += [(3, inputs, 5) for inputs in range(2 * LANES + 2)] + [(LANES + 1, 3, n) for n in range(3 * ROWS)]
    for batch, inputs, outputs in cases:
        x, w = rng.integers(-9, 10, (batch, inputs)), rng.integers(-9, 10, (outputs, inputs))
        np.testing.assert_array_equal(dense_matmul(x.astype(dtype), w.astype(dtype)), x @ w.T)


@pytest.mark.usefixtures("always_here")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-9, 10, shape).astype(np.float32) for shape in ((5, 9), (4, 9)))
    np.testing.assert_array_equal(unchanged(dense_matmul, layout(x), layout(w)), dense_matmul_reference(x, w))


def test_a_sample_has_the_same_bits_in_every_batch_on_every_number_of_threads(large: int) -> None:
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal((n, large), np.float32) for n in (20 * LANES, 300))
    whole = dense_matmul(x, w)
    for threads in (1, 2, 3):
        with limit_threads(threads):
            np.testing.assert_array_equal(dense_matmul(x, w), whole)
    if PATH != "scalar":
        np.testing.assert_array_equal(dense_matmul(x[5 : 5 + LANES], w), whole[5 : 5 + LANES])


@pytest.mark.skipif(PATH == "scalar", reason="everything is left to BLAS")
@pytest.mark.parametrize(
    ("batch", "outputs", "inputs", "here"),
    [(16, 128, 129, True), (16, 128, 128, False), (2, 1024, 1024, True), (2, 1024, 512, False), (1, 2048, 2048, False),
     (64, 64, 2**13, True), (64, 64, 2**13 + 1, False)],
)  # fmt: skip
def test_a_sample_few_products_and_many_inputs_are_left_to_blas(
    batch: int, outputs: int, inputs: int, here: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(dense, "_dense_matmul", lambda x, w, y: calls.append((len(x), len(w))))
    dense_matmul(np.ones((batch, inputs), np.float32), np.ones((outputs, inputs), np.float32))
    assert bool(calls) == here
