"""The fused updates equal their NumPy references bit for bit; test_optim holds them to loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels.elementwise import adam, adam_reference, sgd, sgd_reference
from tests.strategies.arrays import floats, seeds

shapes = st.sampled_from([(0,), (1,), (67,), (5, 7)])


@given(floats, shapes, seeds, st.integers(1, 1000), st.sampled_from([0.0, 0.1]))
def test_adam(dtype: type, shape: tuple[int, ...], seed: int, t: int, decay: float) -> None:
    rng = np.random.default_rng(seed)
    w, g, m, v = (rng.standard_normal(shape).astype(dtype) for _ in range(4))
    v = np.abs(v)
    g.flags.writeable = False
    expected = adam_reference(w, g, m, v, 0.01, 0.9, 0.999, 1e-8, decay, t)
    adam(w, g, m, v, 0.01, 0.9, 0.999, 1e-8, decay, t)
    for ours, theirs in zip((w, m, v), expected):
        assert ours.dtype == dtype and ours.tobytes() == theirs.tobytes()


@given(floats, shapes, seeds, st.sampled_from([0.0, 0.9]), st.booleans())
def test_sgd(dtype: type, shape: tuple[int, ...], seed: int, momentum: float, nesterov: bool) -> None:
    rng = np.random.default_rng(seed)
    w, g, v = (rng.standard_normal(shape).astype(dtype) for _ in range(3))
    g.flags.writeable = False
    expected = sgd_reference(w, g, v, 0.1, momentum, nesterov)
    sgd(w, g, v, 0.1, momentum, nesterov)
    for ours, theirs in zip((w, v), expected):
        assert ours.dtype == dtype and ours.tobytes() == theirs.tobytes()
