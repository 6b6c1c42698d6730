"""A2Q: sums that stay in their accumulator, a start at the weights, and the penalty on what goes beyond the limit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import Uniform
from nncomp.hooks import Hook, Penalized
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import FineTune, Quantize
from nncomp.transforms import A2Q
from nncomp.weights import Latent
from tests.gradients import assert_gradient
from tests.strategies.data import small
from tests.strategies.weights import seeds

RNG = np.random.default_rng(7)


@given(
    seed=seeds, bits=st.integers(2, 8), accumulator=st.integers(6, 16), inputs=st.integers(1, 6), signed=st.booleans()
)
def test_a2q_never_leaves_its_accumulator(seed: int, bits: int, accumulator: int, inputs: int, signed: bool) -> None:
    rng = np.random.default_rng(seed)
    w = (rng.standard_normal((5, 40)) * rng.choice([0.01, 1, 30])).astype(np.float32)
    transform = A2Q(Uniform(bits), accumulator, inputs, signed)
    t, d = (v + rng.normal(0, 3, v.shape).astype(np.float32) for v in transform.init(w))
    q = transform.codes((t, d), w)[0].astype(np.int64)
    worst = 2 ** (inputs - 1) if signed else 2**inputs - 1
    assert (worst * np.abs(q).sum(axis=1) <= 2 ** (accumulator - 1) - 1).all()
    for i in range(5):
        g = min(2.0 ** float(t[i, 0]), 2.0 ** float(d[i, 0]) * (transform.most + 0.5))
        u = g / 2.0 ** float(d[i, 0]) * w[i].astype(np.float64) / np.abs(w[i].astype(np.float64)).sum()
        sure = np.abs(u - np.rint(u)) > 1e-4 * (1 + np.abs(u))
        low, high = transform.format.qmin, transform.format.qmax
        np.testing.assert_array_equal(q[i][sure], np.clip(np.trunc(u), low, high)[sure])


def test_a2q_starts_at_the_weights_where_the_accumulator_is_wide() -> None:
    w = RNG.standard_normal((3, 10))
    weight = Latent.of(A2Q(Uniform(8), accumulator=32), w)
    step = np.abs(w).max(axis=1, keepdims=True) / 127
    assert (np.abs(weight.dense() - w) <= 1.0001 * step).all() and (np.abs(weight.dense()) <= np.abs(w) + 1e-12).all()


@given(seed=seeds, accumulator=st.integers(8, 16), inputs=st.integers(1, 6), signed=st.booleans())
def test_the_penalty_is_what_t_has_above_its_limit(seed: int, accumulator: int, inputs: int, signed: bool) -> None:
    rng = np.random.default_rng(seed)
    w, t, d = rng.standard_normal((4, 3)), rng.normal(3, 4, (4, 1)), rng.normal(0, 1, (4, 1))
    by = A2Q(Uniform(4), accumulator, inputs, signed)
    most = (2 ** (accumulator - 1) - 1) // (2 ** (inputs - 1) if signed else 2**inputs)
    limits = [float(d[i, 0]) + np.log2(most + 0.5) for i in range(4)]
    value, slopes = by.penalty((t, d), w)
    np.testing.assert_allclose(value, sum(max(float(t[i, 0]) - limits[i], 0) for i in range(4)), atol=1e-12)
    if all(abs(float(t[i, 0]) - limits[i]) > 1e-3 for i in range(4)):
        assert_gradient(lambda t, d, w: by.penalty((t, d), w)[0], [t, d, w], slopes, seed, terms=50.0)


def test_only_the_penalty_moves_a_t_that_is_above_its_limit() -> None:
    w = RNG.standard_normal((2, 5))
    by = A2Q(Uniform(4), accumulator=8, inputs=4, strength=6.0, warm=0.5)
    limit = np.log2(7.5)
    p = np.array([[limit + 1], [limit - 1]]), np.zeros((2, 1))
    network = MLP((Linear(Latent(by, p, w), np.zeros(2)),))
    (dt, dd), dw = by.vjp(p, by.forward(p, w)[1], np.ones((2, 5)))
    assert dt[0, 0] == 0 != dt[1, 0]
    hook, gradients = Penalized(samples=3), [(dt.copy(), dd.copy(), dw.copy(), np.zeros(2))]
    hook.before_training(100, network)
    hook.after_backward(25, network, gradients)  # half of the 6 / 3 that it grows to
    np.testing.assert_array_equal(gradients[0][0], dt + np.array([[1.0], [0.0]]))
    np.testing.assert_array_equal(gradients[0][1], dd - np.array([[1.0], [0.0]]))
    np.testing.assert_array_equal(gradients[0][2], dw)


def test_a_training_draws_rows_back_to_their_limit() -> None:
    data, beyond = small(2, samples=200, apart=2.0), []
    network = FineTune(epochs=5, batch=20, optimizer=Adam(5e-3))(MLP.init([8, 12, 3]), data)

    class Watch(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            weights = [layer.weight for layer in network.layers]
            beyond[-1] = sum(w.transform.penalty(w.p, w.w)[0] for w in weights)  # type: ignore[attr-defined]

    for strength in (0.0, 20.0):
        beyond.append(0.0)
        by = A2Q(Uniform(6), accumulator=9, inputs=4, strength=strength)
        step = Quantize(inputs=None, through=by, during=FineTune(epochs=6, batch=20, optimizer=Adam(3e-2)))
        step(network, data, [Watch()])
    assert beyond[0] > 2 * beyond[1], beyond


def test_bad_penalties() -> None:
    for told in ({"strength": -1.0}, {"strength": np.inf}, {"warm": 1.0}):
        with pytest.raises(ValueError, match="a strength of at least 0 and warm from 0 to below 1"):
            A2Q(**told)
