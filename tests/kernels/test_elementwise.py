"""The optimizers' passes: bit for bit their references, in place, and within rounding of textbook loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.kernels.elementwise import adam, adam_reference, sgd, sgd_reference
from tests.oracles import adam_loop, sgd_loop
from tests.strategies.arrays import FLOATS, LAYOUTS, floats, sides

each_float = pytest.mark.parametrize("dtype", FLOATS)
fractions = st.sampled_from([0.0, 0.5, 0.9, 0.999]) | st.floats(0, 0.999)
adam_settings = st.fixed_dictionaries(
    dict(
        rate=st.sampled_from([1e-3, 0.1]), beta1=fractions, beta2=fractions,
        eps=st.sampled_from([1e-8, 0.1]), decay=st.sampled_from([0.0, 0.01, 1.0]),
    )
)  # fmt: skip
sgd_settings = st.fixed_dictionaries(dict(rate=st.floats(1e-4, 1.0), momentum=fractions, nesterov=st.booleans()))
plain = dict(rate=0.1, beta1=0.9, beta2=0.999, eps=1e-8, decay=0.01)


def assert_same_bits(result: np.ndarray, expected: np.ndarray) -> None:
    """Equal with the sign of zero; one NaN is as good as another."""
    np.testing.assert_array_equal(result, expected, strict=True)
    number = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(result)[number], np.signbit(expected)[number])


def step(kernel, reference, arrays: list[np.ndarray], g: np.ndarray, settings: dict) -> None:  # type: ignore[no-untyped-def]
    """One update of `arrays` in place by the kernel, checked against the reference."""
    w, *state = arrays
    bits = g.tobytes()
    with np.errstate(all="ignore"):  # overflow and 0/0 are the same values, with or without a word about them
        expected = reference(w, g, *state, **settings)
        assert kernel(w, g, *state, **settings) is None
    for new, old in zip(arrays, expected):
        assert_same_bits(new, old)
    assert g.tobytes() == bits


@each_float
@given(st.data())
def test_bit_for_bit_the_reference(dtype: type, data: st.DataObject) -> None:
    """Several steps from anywhere, by gradients of any finite size: overflow and underflow included."""
    shape = data.draw(st.tuples(sides) | st.tuples(sides, sides))
    anything = floats(dtype, shape, np.finfo(dtype).max)
    w, m, v = (data.draw(anything) for _ in range(3))
    adamed, pushed = [w, m, np.abs(v)], [w.copy(), v]
    settings = data.draw(adam_settings) | data.draw(st.sampled_from([{}, {"eps": 0.0}]))
    sgd_by = data.draw(sgd_settings)
    for t in range(1, data.draw(st.integers(1, 4)) + 1):
        g = data.draw(anything)
        step(adam, adam_reference, adamed, g, settings | {"t": t})
        step(sgd, sgd_reference, pushed, g, sgd_by)


@each_float
@pytest.mark.parametrize("size", [*range(20), 31, 32, 33, 64, 1000])
def test_every_tail(dtype: type, size: int) -> None:
    """Vector loops run in steps of up to 16; the values after a step are computed one at a time."""
    rng = np.random.default_rng(size)
    w, m, v = rng.standard_normal((3, size)).astype(dtype)
    adamed, pushed = [w, m, v * v], [w.copy(), v.copy()]
    for t in (1, 2, 3):
        g = rng.standard_normal(size).astype(dtype)
        step(adam, adam_reference, adamed, g, plain | {"t": t})
        for nesterov in (False, True):
            step(sgd, sgd_reference, pushed, g, dict(rate=0.1, momentum=0.9, nesterov=nesterov))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout_of_the_gradient(layout) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(0)
    w, g, m, v = rng.random((4, 5, 7))
    step(adam, adam_reference, [w, m, v], layout(g), plain | {"t": 1})
    step(sgd, sgd_reference, [w, v], layout(g), dict(rate=0.1, momentum=0.9, nesterov=True))


def gradients_of(data: st.DataObject, dtype: type) -> np.ndarray:
    """(steps, weights), zero or of a size whose square is a normal number: the bounds are relative."""
    magnitudes = st.just(0.0) | st.floats(2.0**-10, 2.0**10, width=32)
    values = st.lists(st.builds(lambda sign, size: sign * size, st.sampled_from([-1, 1]), magnitudes), min_size=12)
    return np.array(data.draw(values)[:12], dtype).reshape(4, 3)


@each_float
@given(st.data())
def test_adam_is_the_textbook_loop_within_rounding(dtype: type, data: st.DataObject) -> None:
    gradients, settings = gradients_of(data, dtype), data.draw(adam_settings)
    w = np.array([-2.0, 0.0, 0.7], dtype)
    start, m, v = w.copy(), np.zeros(3, dtype), np.zeros(3, dtype)
    for t, g in enumerate(gradients, 1):
        adam(w, g, m, v, t=t, **settings)
    for value, first, column in zip(w, start, gradients.T):
        u = float(np.finfo(dtype).eps) / 2
        expected, bound = adam_loop(float(first), column.tolist(), u, **settings)
        assert abs(float(value) - expected) <= bound


@each_float
@given(st.data())
def test_sgd_is_the_textbook_loop_within_rounding(dtype: type, data: st.DataObject) -> None:
    gradients, settings = gradients_of(data, dtype), data.draw(sgd_settings)
    w = np.array([-2.0, 0.0, 0.7], dtype)
    start, v = w.copy(), np.zeros(3, dtype)
    for g in gradients:
        sgd(w, g, v, **settings)
    for value, first, column in zip(w, start, gradients.T):
        expected, bound = sgd_loop(float(first), column.tolist(), float(np.finfo(dtype).eps) / 2, **settings)
        assert abs(float(value) - expected) <= bound
