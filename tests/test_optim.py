"""Optimizers against textbook loops in Python floats; schedules at their ends and corners."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.learning_rate import Constant, Cosine, OneCycle, Step
from nncomp.optim import SGD, Adam, AdamW, Optimizer
from tests.strategies.weights import seeds


def loops(optimizer: Optimizer, w: float, gradients: list[float], factor: float) -> float:
    """One weight, one update at a time."""
    m = v = 0.0
    rate = optimizer.rate * factor
    for t, g in enumerate(gradients, 1):
        if isinstance(optimizer, SGD):
            g += optimizer.weight_decay * w
            v = optimizer.momentum * v + g
            w -= rate * (g + optimizer.momentum * v if optimizer.nesterov else v)
            continue
        if isinstance(optimizer, AdamW):
            w -= rate * optimizer.weight_decay * w
        else:
            g += optimizer.weight_decay * w
        m = optimizer.beta1 * m + (1 - optimizer.beta1) * g
        v = optimizer.beta2 * v + (1 - optimizer.beta2) * g * g
        m_hat, v_hat = m / (1 - optimizer.beta1**t), v / (1 - optimizer.beta2**t)
        w -= rate * m_hat / (math.sqrt(v_hat) + optimizer.eps)
    return w


EACH = [
    SGD(momentum=0.0), SGD(), SGD(nesterov=True), SGD(momentum=0.5, weight_decay=0.1), Adam(rate=0.1),
    Adam(rate=0.1, weight_decay=0.1), AdamW(rate=0.1, weight_decay=0.2), Adam(beta1=0.0, beta2=0.5, eps=1e-3),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", EACH, ids=repr)
@given(seeds, st.integers(1, 6), st.sampled_from([1.0, 0.3]))
def test_updates_equal_loops(optimizer: Optimizer, seed: int, steps: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    start = [rng.standard_normal((2, 3)), rng.standard_normal(4)]
    gradients = [[rng.standard_normal(w.shape) for w in start] for _ in range(steps)]
    params = [w.copy() for w in start]
    state = optimizer.init(params)
    for t, g in enumerate(gradients, 1):
        kept = [a.copy() for a in g]
        optimizer.update(params, g, state, t, factor)
        for a, b in zip(g, kept):
            np.testing.assert_array_equal(a, b)
    for k, w in enumerate(params):
        for i, value in np.ndenumerate(w):
            expected = loops(optimizer, float(start[k][i]), [float(g[k][i]) for g in gradients], factor)
            # Some ten roundings a step, none amplified: the updates are of the size of the weights.
            assert value == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_float32_stays_float32() -> None:
    for optimizer in EACH:
        w, g = np.ones((2, 2), np.float32), np.ones((2, 2), np.float32)
        state = optimizer.init([w])
        optimizer.update([w], [g], state, 1)
        assert w.dtype == np.float32 and all(s.dtype == np.float32 for s in state[0])


def test_defaults_are_those_of_the_papers() -> None:
    assert SGD() == SGD(0.1, 0.9, False, 0.0) and Adam() == Adam(1e-3, 0.9, 0.999, 1e-8, 0.0)
    assert AdamW() == AdamW(1e-3, 0.9, 0.999, 1e-8, 0.01)
    assert Step() == Step((0.5, 0.75), 0.1) and Cosine() == Cosine(0.0) and OneCycle() == OneCycle(0.3, 0.04, 0.0)


def test_schedules() -> None:
    assert [Constant()(t) for t in (0, 0.99)] == [1, 1]
    assert [Step(at=(0.5, 0.75), factor=0.1)(t) for t in (0, 0.5, 0.75)] == pytest.approx([1, 0.1, 0.01])
    assert [Cosine(last=0.1)(t) for t in (0, 0.5, 1)] == pytest.approx([1, 0.55, 0.1])
    cycle = OneCycle(warmup=0.25, first=0.04, last=0.001)
    assert [cycle(t) for t in (0, 0.125, 0.25, 0.625, 1)] == pytest.approx([0.04, 0.52, 1, 0.5005, 0.001])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Adam(rate=0), "rate is positive and finite, not 0"),
        (lambda: Adam(rate=-0.5), "rate is positive and finite, not -0.5"),
        (lambda: SGD(rate=math.nan), "not nan"),
        (lambda: SGD(rate=math.inf), "rate is positive and finite, not inf"),
        (lambda: SGD(momentum=1.0), "momentum is from 0 to below 1, not 1.0"),
        (lambda: SGD(momentum=1.5), "momentum is from 0 to below 1, not 1.5"),
        (lambda: SGD(momentum=-0.5), "momentum is from 0 to below 1, not -0.5"),
        (lambda: SGD(weight_decay=-0.5), "weight_decay is at least 0 and finite, not -0.5"),
        (lambda: Adam(weight_decay=math.inf), "weight_decay is at least 0 and finite, not inf"),
        (lambda: Adam(eps=-1e-9), "eps is at least 0 and finite, not -1e-09"),
        (lambda: Adam(beta1=1.0), "beta1 is from 0"),
        (lambda: Adam(beta2=1.0), "beta2 is from 0"),
        *((lambda w=w: OneCycle(warmup=w), f"between 0 and 1, not {w}") for w in (-0.5, 0, 1, 1.5)),
    ],
)
def test_bad_settings_get_one_clear_error(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()


def ones(n: int, dtype: type = np.float64) -> np.ndarray:
    return np.ones(n, dtype)


def read_only() -> np.ndarray:
    w = ones(2)
    w.flags.writeable = False
    return w


@pytest.mark.parametrize(
    ("w", "g", "v", "message"),
    [
        (ones(2), ones(1), ones(2), r"float64 \(2,\) in place by a gradient float64 \(1,\)"),
        (ones(2), ones(3), ones(2), r"float64 \(2,\) in place by a gradient float64 \(3,\)"),
        (ones(2), ones(2, np.float32), ones(2), r"float64 \(2,\) in place by a gradient float32"),
        (ones(2, np.float32), ones(2), ones(2, np.float32), r"float32 \(2,\) in place by a gradient float64"),
        (ones(2), ones(2), ones(1), r"its state float64 \(1,\) are not updatable"),
        (ones(2), ones(2), ones(3), r"its state float64 \(3,\) are not updatable"),
        (ones(2), ones(2), ones(2, np.float32), r"its state float32 \(2,\) are not updatable"),
        (ones(2, np.float32), ones(2, np.float32), ones(2), r"its state float64 \(2,\) are not updatable"),
        (ones(2), ones(2), read_only(), "not updatable in place"),
        (ones(2), ones(2), ones(4)[::2], "not updatable in place"),
        (read_only(), ones(2), ones(2), "not updatable in place"),
        (ones(4)[::2], ones(2), ones(2), "not updatable in place"),
    ],
)
def test_what_cannot_be_updated_in_place_stays_untouched(
    w: np.ndarray, g: np.ndarray, v: np.ndarray, message: str
) -> None:
    for optimizer, state in [(SGD(), (v,)), (Adam(), (np.ones_like(w), v)), (Adam(), (v, np.ones_like(w)))]:
        with pytest.raises(ValueError, match=message):
            optimizer.update([w], [g], [state], 1)
        assert (w == 1).all() and (v == 1).all()


@pytest.mark.parametrize("optimizer", [SGD(), Adam()], ids=repr)
def test_an_update_takes_a_gradient_and_a_state_per_array(optimizer: Optimizer) -> None:
    params = [ones(2), ones(2)]
    state = optimizer.init(params)
    with pytest.raises(ValueError, match="shorter"):
        optimizer.update(params, [ones(2)], state, 1)
    with pytest.raises(ValueError, match="shorter"):
        optimizer.update(params, params, state[:1], 1)
