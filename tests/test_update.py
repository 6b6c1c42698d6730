"""Updates: every form comes back in its form, its bytes and its pattern, and learns what has changed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.linalg import expm

from nncomp.data import Data, Split
from nncomp.files import to_bytes
from nncomp.formats import PerColumn, PerGroup, PerTensor, Uniform, mxfp4
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import Dynamic
from nncomp.steps import CompressionStep, Factor, FineTune, MixedPrecision, Prune, Quantize, Share, Update, compress
from nncomp.weights import Encoded, LowRank, Quantized, Shared, Sparse, Weight
from tests.strategies.data import blobs

DATA = Data(blobs(600, 1), blobs(300, 2))
SKEW = np.triu(0.3 * np.random.default_rng(4).standard_normal((12, 12)))
TURN = expm(SKEW - SKEW.T).astype(np.float32)
MOVED = Data(Split(DATA.train.x @ TURN, DATA.train.y), Split(DATA.validation.x @ TURN, DATA.validation.y))
LEARNING = FineTune(epochs=10, batch=50, optimizer=Adam(rate=5e-3))
PIXELS = Uniform(signed=False, symmetric=False)


@pytest.fixture(scope="module")
def dense() -> MLP:
    return LEARNING(MLP.init([12, 16, 8, 4]), DATA)


FORMS: dict[str, list[CompressionStep]] = {
    "sparse": [Prune(0.5)],
    "shared": [Prune(0.3), Share(8)],
    "int8": [Quantize()],
    "sparse int8": [Prune(0.5), Quantize()],
    "dynamic inputs": [Quantize(Uniform(4), inputs=Dynamic(PIXELS))],
    "floats in": [Quantize(Uniform(4), inputs=None)],
    "3 bits by 4": [Quantize(Uniform(3), PerGroup(4), inputs=None)],
    "one scale, zero point": [Quantize(PIXELS, PerTensor())],
    "a scale a column": [Quantize(Uniform(8), PerColumn(), inputs=None)],
    "mixed": [MixedPrecision(8.5, (Quantize(Uniform(4), inputs=None), Quantize(Uniform(8), inputs=None)))],
    "mxfp4": [Quantize(mxfp4, inputs=None)],
    "factors in int4": [Factor(rank=4), Quantize(Uniform(4))],
    "factors in mxfp4": [Factor(rank=4), Quantize(mxfp4, inputs=None)],
}


@pytest.mark.parametrize("form", FORMS)
def test_it_learns_in_its_form(dense: MLP, form: str) -> None:
    small = compress(dense, FORMS[form], DATA)
    again = Update(LEARNING)(small, MOVED)
    lost = accuracy(small, DATA.validation) - accuracy(small, MOVED.validation)
    assert lost > 0.1, "or there is nothing to learn"
    assert accuracy(again, MOVED.validation) > accuracy(small, MOVED.validation) + 0.5 * lost
    assert abs(len(to_bytes(again)) - len(to_bytes(small))) <= 64, "of the header, where numbers are written out"
    for a, b in zip(small.layers, again.layers):
        assert type(a.weight) is type(b.weight) and a.weight.nbytes == b.weight.nbytes
        assert type(a.input) is type(b.input) and b.norm is None
        same_form(a.weight, b.weight)


def same_form(a: Weight, b: Weight) -> None:
    assert type(a) is type(b)
    match a, b:
        case LowRank() as old, LowRank() as new:
            same_form(old.A, new.A)
            same_form(old.B, new.B)
        case Quantized() as old, Quantized() as new:
            assert old.grid.format == new.grid.format and old.grid.group == new.grid.group
            assert old.grid.scale.shape == new.grid.scale.shape
            assert (old.dense() != new.dense()).any(), "codes move"
            if isinstance(old.codes, Sparse) and isinstance(new.codes, Sparse):
                np.testing.assert_array_equal(old.codes.mask, new.codes.mask)
        case Sparse() as old, Sparse() as new:
            np.testing.assert_array_equal(old.mask, new.mask)
        case Shared() as old, Shared() as new:
            np.testing.assert_array_equal(old.dense() == 0, new.dense() == 0)
        case Encoded() as old, Encoded() as new:
            assert old.format == new.format and (old.dense() != new.dense()).any()


def test_input_grids_are_fitted_to_what_comes_now(dense: MLP) -> None:
    small = Quantize()(dense, DATA)
    louder = Data(Split(3 * MOVED.train.x, MOVED.train.y), MOVED.validation)
    again = Update(replace(LEARNING, epochs=1))(small, louder)
    ratio = again.layers[0].input.scale / small.layers[0].input.scale  # type: ignore[union-attr]
    assert 1.5 < ratio.item() < 6
    assert Update(replace(LEARNING, epochs=1), samples=5)(small, louder).fingerprint() != again.fingerprint()
