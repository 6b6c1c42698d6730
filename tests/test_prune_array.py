"""Weights of other frameworks: mask and pruned array, without a network."""

import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp import prune_array
from nncomp.prune import keep_each_row, keep_n_of_m, magnitude, ria, row_l2, snip, synflow, wanda
from tests.strategies.arrays import foreign_weights


@given(
    foreign_weights,
    st.floats(0, 1),
)
def test_any_shape_keeps_the_largest(w: np.ndarray, sparsity: float) -> None:
    before = w.copy()
    mask, pruned = prune_array(w, sparsity)
    assert mask.shape == pruned.shape == w.shape and mask.dtype == bool and pruned.dtype == w.dtype
    assert (~mask).sum() == round(sparsity * w.size)
    np.testing.assert_array_equal(pruned, np.where(mask, w, 0))
    np.testing.assert_array_equal(w, before)
    if mask.any() and not mask.all():
        assert np.abs(w[mask]).min() >= np.abs(w[~mask]).max()
    mask[...] = False  # both are the caller's own
    pruned[...] = 1


def test_kernels_are_rows_of_their_outputs() -> None:
    w = np.random.default_rng(0).standard_normal((6, 3, 2, 2)).astype(np.float32)
    mask, _ = prune_array(w, 0.5, row_l2)
    lengths = np.sqrt((w.reshape(6, -1) ** 2).sum(axis=1))
    assert [bool(m.all()) for m in mask] == (lengths >= np.sort(lengths)[3]).tolist() == [bool(m.any()) for m in mask]
    two_of_four, _ = prune_array(w, 0.5, keep=lambda scores, sparsity: keep_n_of_m(scores, 2, 4))
    assert (two_of_four.reshape(-1, 4).sum(axis=1) == 2).all()


def test_what_a_score_needs_is_given_by_name() -> None:
    rng = np.random.default_rng(1)
    w, norms, g = rng.standard_normal((4, 6)), rng.random(6), rng.standard_normal((4, 6))
    mask, _ = prune_array(w.tolist(), 0.5, wanda, keep_each_row, norms=norms.tolist())
    np.testing.assert_array_equal(mask, keep_each_row(np.abs(w) * norms, 0.5))
    mask, _ = prune_array(w, 0.25, snip, g=g)
    assert np.abs(w * g)[~mask].max() < np.abs(w * g)[mask].min() and (~mask).sum() == 6
    prune_array(w, 0.5, ria, norms=norms, a=1.0)
    kernels, theirs = rng.standard_normal((2, 4, 3, 2, 2))
    mask, _ = prune_array(kernels, 0.5, snip, g=theirs)
    assert np.abs(kernels * theirs)[~mask].max() < np.abs(kernels * theirs)[mask].min()
    np.testing.assert_array_equal(prune_array(w, 0.5, synflow)[0], prune_array(w, 0.5)[0])  # one layer: magnitudes


def test_tensors() -> None:
    torch = pytest.importorskip("torch")
    w = torch.randn(4, 6, requires_grad=True, generator=torch.Generator().manual_seed(0))
    mask, pruned = prune_array(w, 0.5)
    flat = w.detach().abs().flatten()
    np.testing.assert_array_equal(mask.ravel(), (flat >= flat.sort().values[12]).numpy())
    assert prune_array(w.bfloat16(), 0.5)[1].dtype == np.float32
    assert prune_array(w, 0.5, wanda, norms=torch.ones(6))[1].shape == pruned.shape


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prune_array(np.ones((2, 2), int), 0.5), "weights are floats (out, in), not int64 (2, 2)"),
        (lambda: prune_array(np.array([np.nan, 1.0]), 0.5), "weights are finite; of float64 (1, 2), 1 are not"),
        (lambda: prune_array(np.ones((2, 2)), 1.5), "between 0 and 1, not 1.5"),
        (lambda: prune_array(np.ones((2, 2)), 0.5, wanda), "wanda needs norms, not one array"),
        (lambda: prune_array(np.ones((2, 2)), 0.5, magnitude, g=np.ones(2)), "magnitude needs no other array, not g"),
        (lambda: prune_array(np.ones((2, 2)), 0.5, partial(ria, a=1.0)), "partial(ria, a=1.0) needs norms"),
        (lambda: prune_array(np.ones((2, 2)), 0.5, keep=lambda s, x: s), "boolean of that shape, not float64 (2, 2)"),
        (lambda: prune_array(np.ones((2, 2)), 0.5, wanda, norms=np.ones(3)), "2 input norms of at least 0, not (3,)"),
    ],
)  # fmt: skip
def test_bad_input(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_what_is_no_array() -> None:
    with pytest.raises(TypeError, match="is no numeric array"):
        prune_array("weights", 0.5)
