"""TFLite's dialects against its interpreter: codes of floats, of products and of sums, equal to the bit.

The package is built without TFLITE_SINGLE_ROUNDING, so that nothing in it rounds as `tflite_once` does; gemmlowp has no
package, but MUL and CONV_2D here call its two functions.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nncomp.formats import dialects
from nncomp.formats.dialects import Dialect
from tests.crosscheck.litert_graph import RESOLVERS, Value, run, schema
from tests.crosscheck.test_dialects import case

REFERENCE, BUILTIN, DELEGATE = RESOLVERS.BUILTIN_REF, RESOLVERS.BUILTIN_WITHOUT_DEFAULT_DELEGATES, RESOLVERS.AUTO
seeds = st.integers(0, 2**32 - 1)
Scales = tuple[np.ndarray, np.ndarray, np.ndarray]


def scales(rng: np.random.Generator, columns: int, ties: bool) -> Scales:
    """Of inputs, of weights by column and of outputs; `ties`: powers of two, so that many sums lie halfway."""
    if ties:
        parts = (2.0 ** rng.integers(low, low + 3, n) for low, n in ((-5, 1), (-6, columns), (-3, 1)))
    else:
        parts = (rng.uniform(low, 10 * low, n) for low, n in ((0.01, 1), (0.005, columns), (0.05, 1)))
    s_a, s_b, s_y = (np.asarray(part, np.float32) for part in parts)
    return s_a, s_b, s_y


def in_float32(parts: Scales) -> Scales:
    """`s_a s_b` as float32, where an operator multiplies them before anything is a double."""
    return parts[0] * parts[1], np.ones(1, np.float32), parts[2]


def fully_connected(sums: np.ndarray, parts: Scales, z: int, resolver: object) -> np.ndarray:
    """Codes of any sums: they are the biases of inputs 0."""
    s_a, s_b, s_y = parts
    weights = Value(np.ones((sums.size, 1), np.int8), s_b, constant=True)
    bias = Value(sums, s_a * s_b, constant=True)
    inputs, output = Value(np.zeros((1, 1), np.int8), s_a), Value(np.zeros((1, sums.size), np.int8), s_y, z)
    options = schema.FullyConnectedOptionsT()
    return run("FULLY_CONNECTED", 4, options, [inputs, weights, bias], output, resolver)[0]


def convolved(sums: np.ndarray, parts: Scales, z: int, resolver: object) -> np.ndarray:
    s_a, s_b, s_y = parts
    weights = Value(np.ones((sums.size, 1, 1, 1), np.int8), np.broadcast_to(s_b, sums.size), constant=True)
    bias = Value(sums, np.broadcast_to(s_a * s_b, sums.size), constant=True)
    inputs, output = Value(np.zeros((1, 1, 1, 1), np.int8), s_a), Value(np.zeros((1, 1, 1, sums.size), np.int8), s_y, z)
    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    return run("CONV_2D", 3, options, [inputs, weights, bias], output, resolver).ravel()


KERNELS: list[tuple[str, Callable[..., np.ndarray], object]] = [
    ("tflite_reference", fully_connected, REFERENCE),
    ("tflite_ruy", fully_connected, BUILTIN),
    ("xnnpack", fully_connected, DELEGATE),
    ("tflite_twice", convolved, REFERENCE),
    ("gemmlowp", convolved, REFERENCE),
    ("tflite_ruy", convolved, BUILTIN),
    ("xnnpack", convolved, DELEGATE),
]


@pytest.mark.parametrize(("name", "kernel", "resolver"), KERNELS)
@pytest.mark.parametrize("per_column", [False, True])
@given(seeds)
def test_sums(name: str, kernel: Callable[..., np.ndarray], resolver: object, per_column: bool, seed: int) -> None:
    """Small ones, and such as come near halfway between two codes."""
    rng = np.random.default_rng(seed)
    s_a, s_b, s_y = scales(rng, 600 if per_column else 1, ties=seed % 2 == 0)
    parts = s_a, s_b / np.float32(2.0 ** rng.integers(0, 10)), s_y  # sums of up to 30 bits
    halfway = (rng.integers(-135, 135, 600) + 0.5) * parts[2].astype(float) / parts[0] / parts[1]
    sums = np.where(rng.random(600) < 0.2, rng.integers(-99, 99, 600), np.rint(halfway) + rng.integers(-1, 2, 600))
    sums, z = sums.astype(np.int32), int(rng.integers(-100, 100))
    expected = kernel(sums, parts, z, resolver)
    if (name, kernel, per_column) == ("tflite_ruy", fully_connected, False):
        parts = in_float32(parts)
    np.testing.assert_array_equal(getattr(dialects, name).requantize(sums, *parts, z, -128, 127), expected)


TWICE = [("tflite_twice", REFERENCE), ("gemmlowp", BUILTIN), ("xnnpack", DELEGATE)]


@pytest.mark.parametrize(("name", "resolver"), TWICE)
@example(159)  # its factor differs as a double
@given(seeds)
@settings(max_examples=20)
def test_all_products(name: str, resolver: object, seed: int) -> None:
    """MUL of each two codes: 65,536 products a draw."""
    rng = np.random.default_rng(seed)
    parts = scales(rng, 1, ties=seed % 2 == 0)
    z_a, z_b, z = (int(v) for v in rng.integers(-128, 128, 3))
    a, b = (np.ascontiguousarray(v) for v in np.broadcast_arrays(*np.ogrid[-128:128, -128:128]))
    inputs = [Value(a.astype(np.int8), parts[0], z_a), Value(b.astype(np.int8), parts[1], z_b)]
    expected = run("MUL", 2, schema.MulOptionsT(), inputs, Value(a.astype(np.int8), parts[2], z), resolver)
    one, products = np.ones(1, np.float32), ((a - z_a) * (b - z_b)).astype(np.int32)
    factor = parts[0] * parts[1] / parts[2]  # all in float32
    np.testing.assert_array_equal(
        getattr(dialects, name).requantize(products, factor, one, one, z, -128, 127), expected
    )


@pytest.mark.parametrize(("name", "resolver"), TWICE)
@example(63)  # the float32 product of its scales is another multiplier
@given(seeds)
@settings(max_examples=20)
def test_a_whole_layer(name: str, resolver: object, seed: int) -> None:
    """BATCH_MATMUL of random codes: 60,000 sums a draw."""
    rng = np.random.default_rng(seed)
    parts, z_a, z = scales(rng, 1, ties=seed % 2 == 0), int(rng.integers(-128, 128)), int(rng.integers(-20, 20))
    parts = parts[0], parts[1], parts[2] * 4
    a, b = rng.integers(-128, 128, (1, 200, 16)).astype(np.int8), rng.integers(-127, 128, (1, 16, 300)).astype(np.int8)
    inputs, output = [Value(a, parts[0], z_a), Value(b, parts[1])], Value(np.zeros((1, 200, 300), np.int8), parts[2], z)
    [expected] = run("BATCH_MATMUL", 2, schema.BatchMatMulOptionsT(), inputs, output, resolver)
    sums = ((a[0].astype(np.int32) - z_a) @ b[0].astype(np.int32)).astype(np.int32)
    found = getattr(dialects, name).requantize(sums, *in_float32(parts), z, -128, 127)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("name", "resolver"), [("tflite_twice", REFERENCE), ("xnnpack", DELEGATE)])
@given(seeds)
@settings(max_examples=50)
def test_codes_of_floats(name: str, resolver: object, seed: int) -> None:
    x, scale, zero = case(seed)
    tiny = np.array([0, -0.0, 1e-45, -1e-45, 1e-38], np.float32)
    x = np.concatenate([x, tiny, 1000 * x])
    dialect: Dialect = getattr(dialects, name)
    output = Value(x.astype(np.int8), scale, zero)
    expected = run("QUANTIZE", 2, schema.QuantizeOptionsT(), [Value(x)], output, resolver)
    np.testing.assert_array_equal(dialect.encode(x, scale, zero, -128, 127), expected)


def test_a_half_by_each_of_them() -> None:
    """An eighth of 4 and of -12, 0.5 and -1.5, has four answers in one package."""
    sums, one = np.array([4, -12], np.int32), np.ones(1, np.float32)
    parts = (one, one / 8, one)
    found = {
        "reference": fully_connected(sums, parts, 0, REFERENCE).tolist(),
        "ruy": fully_connected(sums, parts, 0, BUILTIN).tolist(),
        "xnnpack": fully_connected(sums, parts, 0, DELEGATE).tolist(),
    }
    assert found == {"reference": [1, -2], "ruy": [1, -1], "xnnpack": [0, -2]}
