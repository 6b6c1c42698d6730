"""Weights in number formats: bits without gaps by integers, bytes by hand, and what steps and files make of them."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.files import from_bytes, to_bytes
from nncomp.formats import (
    BlockScaled,
    FixedPoint,
    Float,
    Grid,
    Uniform,
    ceil_scale,
    float4_e2m1fn,
    mxfp4,
    nf4,
    nvfp4,
    q4_1,
    ratio_ceil_scale,
)
from nncomp.formats.names import NAMES
from nncomp.formats.packing import from_stream, stream
from nncomp.layer import Linear
from nncomp.measure import form
from nncomp.network import MLP
from nncomp.optim import SGD
from nncomp.quantize import Dynamic
from nncomp.steps import FineTune, Prune, Quantize
from nncomp.steps.recipe import Recipe
from nncomp.transforms import Rounded
from nncomp.weights import Dense, Encoded, Latent, PackedCodes, Quantized
from tests.strategies.data import small

# Of 5 rows of 33: codes to the end of a byte, then scales. q: whole blocks of 32 or 256.
BYTES = {
    "float16": 330, "bfloat16": 330, "float8_e4m3fn": 165, "float8_e5m2": 165, "float8_e4m3fnuz": 165,
    "float8_e5m2fnuz": 165, "float6_e2m3fn": 124, "float6_e3m2fn": 124, "float4_e2m1fn": 83,
    "mxfp8_e4m3": 165 + 10, "mxfp8_e5m2": 165 + 10, "mxfp6_e2m3": 124 + 10, "mxfp6_e3m2": 124 + 10, "mxfp4": 83 + 10,
    "mxint8": 165 + 10, "nvfp4": 83 + 15 + 4, "nf4": 83 + 20, "ternary": 42 + 20, "binary": 21 + 20,
    "q4_0": 10 * 18, "q4_1": 10 * 20, "q5_0": 10 * 22, "q5_1": 10 * 24, "q8_0": 10 * 34, "tq1_0": 5 * 54,
    "tq2_0": 5 * 66,
}  # fmt: skip
DATA = small(3, samples=80)


@given(st.integers(1, 16), st.booleans(), st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_codes_lie_without_gaps(bits: int, signed: bool, rows: int, columns: int, seed: int) -> None:
    low = -(2 ** (bits - 1)) if signed else 0
    dtype = np.dtype(f"{'int' if signed else 'uint'}{8 if bits <= 8 else 16}")
    codes = np.random.default_rng(seed).integers(low, low + 2**bits, (rows, columns)).astype(dtype)
    number = sum((int(q) % 2**bits) << (bits * i) for i, q in enumerate(codes.flat))
    expected = number.to_bytes(-(-codes.size * bits // 8), "little")
    assert stream(codes, bits).tobytes() == expected
    np.testing.assert_array_equal(from_stream(stream(codes, bits), bits, dtype, codes.shape), codes)
    packed = PackedCodes.of(codes, bits)
    assert packed.stream.tobytes() == expected and packed.dtype == dtype
    np.testing.assert_array_equal(packed.codes, codes)


@pytest.mark.parametrize("name", NAMES)
def test_a_ragged_matrix_takes_exactly_the_format_s_bytes(name: str) -> None:
    W = np.random.default_rng(0).standard_normal((5, 33)).astype(np.float32)
    weight = Encoded.of(NAMES[name], W)
    assert weight.nbytes == BYTES[name] and form(weight) == name
    assert len(to_bytes(MLP((Linear(weight, np.zeros(5, np.float32)),)))) <= BYTES[name] + 20 + 4096
    whole = np.pad(W, ((0, 0), (0, -33 % 256)), mode="edge")  # what a block of GGUF is filled up with
    encoded = NAMES[name].encode(whole if name[-2:] in ("_0", "_1") else W)
    decoded = NAMES[name].decode(*encoded if isinstance(encoded, tuple) else (encoded,))
    np.testing.assert_array_equal(weight.dense(), decoded[:, :33].astype(np.float32))


def test_the_names_are_all_there_is() -> None:
    assert set(BYTES) == set(NAMES)


@pytest.mark.parametrize("name", ["binary", "q4_1", "q5_1"])
def test_what_has_no_zero_is_not_pruned(name: str) -> None:
    W = np.ones((2, 3), np.float32)
    weight, mask = Encoded.of(NAMES[name], W), np.eye(2, 3, dtype=bool)
    assert weight.masked(np.ones((2, 3), bool)) is weight
    for attempt in (lambda: weight.masked(mask), lambda: Latent.of(Rounded(NAMES[name], mask), W)):
        with pytest.raises(ValueError, match="no code for what is pruned"):
            attempt()


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "nf4", "q4_0", "float16"])
@pytest.mark.parametrize("during", [None, FineTune(2, batch=16)])
def test_a_network_in_a_format(name: str, during: FineTune | None) -> None:
    network = Quantize(NAMES[name], inputs=None, during=during)(MLP.init([8, 7, 3]), DATA)
    assert [form(layer.weight) for layer in network.layers] == [name, name]
    again = from_bytes(to_bytes(network))
    assert again.fingerprint() == network.fingerprint() and again.layers[0].weight.format == NAMES[name]  # type: ignore[attr-defined]
    np.testing.assert_array_equal(network(DATA.train.x), again(DATA.train.x))


def test_training_around_it_leaves_it_alone() -> None:
    network = Quantize(mxfp4, inputs=Dynamic(Uniform()))(MLP.init([8, 7, 3]), DATA)
    trained = FineTune(2, optimizer=SGD(0.1), batch=16)(network, DATA)
    for before, after in zip(network.layers, trained.layers):
        np.testing.assert_array_equal(before.weight.dense(), after.weight.dense())
        assert (before.bias != after.bias).any()
    with pytest.raises(ValueError, match="codes are fixed while a network trains"):
        Prune(0.5, during=FineTune(1))(network, DATA)


def test_a_pattern_is_kept_through_it_and_after_it() -> None:
    pruned = Prune(0.5)(MLP.init([8, 7, 3]), DATA)
    for network in (
        Quantize(nf4, inputs=None, during=FineTune(2, batch=16))(pruned, DATA),
        Prune(0.5)(Quantize(nf4, inputs=None)(MLP.init([8, 7, 3]), DATA), DATA),
    ):
        assert sum(np.count_nonzero(layer.weight.dense()) for layer in network.layers) <= 39
        assert [form(layer.weight) for layer in network.layers] == ["nf4", "nf4"]


@pytest.mark.parametrize(
    "format",
    [
        BlockScaled(float4_e2m1fn, 16, ceil_scale),
        FixedPoint(5, 3),
        replace(nf4, size=8, up=True),
        Float(3, 2, 3, saturate=False),
        BlockScaled(Float(2, 2, 1, "finite")),
    ],
    ids=str,
)
def test_a_format_of_one_s_own_goes_through_files(format) -> None:  # type: ignore[no-untyped-def]
    weight = Encoded.of(format, np.random.default_rng(0).standard_normal((3, 20)).astype(np.float32))
    network = MLP((Linear(weight, np.zeros(3, np.float32)),))
    read = from_bytes(to_bytes(network)).layers[0].weight
    assert isinstance(read, Encoded) and read.format == format
    assert read.dense().tobytes() == weight.dense().tobytes() and form(read) == type(format).__name__


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_the_format(name: str) -> None:
    for again in (copy.deepcopy(NAMES[name]), pickle.loads(pickle.dumps(NAMES[name]))):
        assert again == NAMES[name] and repr(again) == name
    network = copy.deepcopy(Quantize(NAMES[name], inputs=None)(MLP.init([8, 3]), DATA))
    assert from_bytes(to_bytes(network)).fingerprint() == network.fingerprint()


def test_halves_are_scaled_like_floats() -> None:
    x = np.full((1, 32), 3e-6, np.float16)
    format = BlockScaled(NAMES["float8_e4m3fn"], scale_rule=ratio_ceil_scale)  # type: ignore[arg-type]
    np.testing.assert_array_equal(format.encode(x)[1], format.encode(x.astype(np.float32))[1])


def test_recipes_name_formats(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[[steps]]\nstep = "Quantize"\nweights = "q4_0"\ninputs = "none"\n')
    assert Recipe.load(tmp_path / "mine.toml").steps == (Quantize(NAMES["q4_0"], inputs=None),)


def test_few_bits_take_few_bytes_and_run_alike() -> None:
    W = np.random.default_rng(1).standard_normal((7, 30)).astype(np.float32)
    layer = Latent.of(Rounded(mxfp4), W)
    assert layer.store().nbytes == 105 + 7
    from nncomp.quantize import round_to_nearest

    codes, grid = round_to_nearest(W, Uniform(3))
    packed, plain = Quantized.encoded(Dense(W), grid), Quantized(codes, grid)
    assert isinstance(packed.codes, PackedCodes) and packed.codes.nbytes == -(-210 * 3 // 8)
    x = np.random.default_rng(2).integers(0, 9, (4, 30)).astype(np.float32)
    q, steps = grid_of(x)
    assert packed.apply_codes(q, steps).tobytes() == plain.apply_codes(q, steps).tobytes()
    assert packed.forward(x)[0].tobytes() == plain.forward(x)[0].tobytes()
    bound = (30 + 2) * np.finfo(np.float32).eps * (x @ np.abs(plain.dense()).T)
    assert (np.abs(packed.apply(x) - plain.apply(x)) <= 2 * bound).all(), "sums in another order"
    dy = np.ones((4, 7), np.float32)
    np.testing.assert_array_equal(packed.with_params(packed.params).vjp(x, dy)[1], plain.vjp(x, dy)[1])


def grid_of(x: np.ndarray):  # type: ignore[no-untyped-def]
    grid = Dynamic(Uniform(signed=False, symmetric=False)).grid_for(x)
    return grid.encode(x), grid


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Encoded.of(mxfp4, np.full((1, 2), np.nan, np.float32)), "finite floats"),
        (lambda: Encoded.of(NAMES["float16"], np.full((1, 2), np.inf, np.float64)), "NaN or infinite|finite"),
        (lambda: Encoded.of(NAMES["q8_0"], np.full((1, 2), 1e30, np.float32)), "NaN or infinite"),
        (lambda: Encoded.of(mxfp4, np.ones((1, 2), np.float16)), "float32 or float64, not float16"),
        (lambda: Encoded.of(mxfp4, np.ones((0, 2), np.float32)), "at least one of each"),
        (lambda: Encoded(mxfp4, (np.zeros(1, np.uint8),), (1, 2)), "stored in 2 arrays, not in 1"),
        (lambda: Encoded(q4_1, (np.zeros((1, 20), np.uint8),), (1, 33)), "are no matrix of shape .1, 33."),
        (lambda: PackedCodes(np.array([8], np.uint8), (1, 1), 3), "bits behind the last code are 0"),
        (lambda: PackedCodes(np.array([8, 0], np.uint8), (1, 1), 3), "are 1 bytes, not uint8 .2,."),
        (lambda: Quantize(mxfp4, weight_ranges=max), "brings its own scales"),
        (lambda: PackedCodes.of(np.array([[7, -8]], np.int8), 3), "codes of 3 bits are -4 to 3, not -8 to 7"),
        (lambda: PackedCodes.of(np.array([[5]], np.uint8), 2), "codes of 2 bits are 0 to 3, not 5 to 5"),
        (lambda: PackedCodes.of(np.array([[1.7]]), 3), "codes are integers, not float64"),
        (lambda: Quantized.of(np.array([[1]]), Grid(Uniform(3), np.ones((1, 1)))), "are int8, not int64"),
        (lambda: nvfp4.encode(np.full((1, 16), 1e-36)), "no float32 that scales them"),
        (lambda: nvfp4.encode(np.full((1, 16), 1e300)), "no float32 that scales them"),
        (lambda: Float(4, 0, 7), "floats have at most 16 bits"),
        (lambda: Float(9, 6, 255), "floats have at most 16 bits"),
        (lambda: Quantize(inputs=mxfp4), "inputs is a Uniform or Dynamic, not"),
    ],
)
def test_bad_input_gets_one_clear_error(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
