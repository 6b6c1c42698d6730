"""Bits by layer: the exact allocation against all allocations, and the step that makes it."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.allocation import allocate
from nncomp.data import Data
from nncomp.evidence import Evidence
from nncomp.formats import Uniform, nf4
from nncomp.losses import cross_entropy
from nncomp.network import MLP
from nncomp.quantize import gptq, hawq
from nncomp.steps import FineTune, MixedPrecision, Quantize
from nncomp.steps.recipe import Recipe
from tests.strategies.data import small

DATA = small(5, samples=300, apart=1.0)
NETWORK = FineTune(10, batch=20)(MLP.init([8, 16, 12, 3], seed=2), DATA)
CHOICES = tuple(Quantize(Uniform(bits), inputs=None) for bits in (2, 3, 4, 6, 8))


layers_of_choices = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=4), min_size=1, max_size=4
)


@given(layers_of_choices, st.integers(0, 40))
def test_the_allocation_is_the_best_of_all(layers: list[list[tuple[int, int]]], budget: int) -> None:
    losses, sizes = ([[pair[i] for pair in layer] for layer in layers] for i in (0, 1))

    def totals(chosen: Sequence[int]) -> tuple[int, int]:
        return sum(losses[i][k] for i, k in enumerate(chosen)), sum(sizes[i][k] for i, k in enumerate(chosen))

    every = map(totals, itertools.product(*(range(len(layer)) for layer in layers)))
    fitting = [pair for pair in every if pair[1] <= budget]
    if not fitting:
        with pytest.raises(ValueError, match=f"the smallest choices take .*, more than {budget}"):
            allocate(losses, sizes, budget)
        return
    assert totals(allocate(losses, sizes, budget)) == min(fitting)


def stored_bits(network: MLP) -> float:
    return 8 * sum(layer.weight.nbytes for layer in network.layers)


def rise(network: MLP) -> float:
    return cross_entropy(network(DATA.train.x).astype(float), DATA.train.y)[0]


@pytest.mark.parametrize("sensitivity", [None, hawq])
@pytest.mark.parametrize("bits", [5.0, 6.5, 8.0])
def test_the_step_chooses_what_is_best_in_sum_and_fits(bits: float, sensitivity) -> None:  # type: ignore[no-untyped-def]
    network = MixedPrecision(bits, CHOICES, sensitivity)(NETWORK, DATA)
    budget = bits * sum(layer.weight.shape[0] * layer.weight.shape[1] for layer in network.layers)
    assert stored_bits(network) <= budget
    uniform = [choice(NETWORK, DATA) for choice in CHOICES]
    h = Evidence(NETWORK, DATA.train).h

    def loss(i: int, quantized: MLP) -> float:
        if sensitivity is None:
            return rise(NETWORK.with_layer(i, quantized.layers[i])) - rise(NETWORK)
        old, new = (n.layers[i].weight.dense().astype(float) for n in (NETWORK, quantized))
        return float(h[i].sum() / h[i].size * ((old - new) ** 2).sum())

    table = [[loss(i, q) for q in uniform] for i in range(3)]
    sizes = [[8 * q.layers[i].weight.nbytes for q in uniform] for i in range(3)]
    best = min(
        (sum(table[i][k] for i, k in enumerate(c)), c)
        for c in itertools.product(range(5), repeat=3)
        if sum(sizes[i][k] for i, k in enumerate(c)) <= budget
    )
    for layer, i, k in zip(network.layers, range(3), best[1]):
        np.testing.assert_array_equal(layer.weight.dense(), uniform[k].layers[i].weight.dense())


def test_any_way_to_quantize_is_a_choice(tmp_path: Path) -> None:
    choices = (Quantize(nf4, inputs=None), Quantize(Uniform(3), method=gptq), Quantize())
    network = MixedPrecision(9.0, choices)(NETWORK, DATA)
    assert network.sizes == NETWORK.sizes
    text = '[[steps]]\nstep = "MixedPrecision"\nbits = 6\nsensitivity = "hawq"\nchoices = [\n'
    text += '{ is = "Quantize", weights = { bits = 3 } }, { is = "Quantize" }]\n'
    (tmp_path / "mine.toml").write_text(text)
    assert Recipe.load(tmp_path / "mine.toml").steps == (
        MixedPrecision(6, (Quantize(Uniform(3)), Quantize()), hawq),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: allocate([[1.0]], [[1.0, 2.0]], 3), "as many losses as sizes"),
        (lambda: allocate([[]], [[]], 3), "at least one"),
        (lambda: allocate([[np.nan]], [[1.0]], 3), "finite"),
        (lambda: allocate([[1.0]], [[4.0]], np.nan), "the smallest choices take 4, more than nan"),
        (lambda: hawq(np.ones((1, 2)), np.ones((1, 2)), np.ones(2)), "of one shape"),
        (lambda: MixedPrecision(0, CHOICES), "bits above 0, not 5 and 0"),
        (lambda: MixedPrecision(4, ()), "at least one choice"),
        (lambda: MixedPrecision(4, (Quantize(during=FineTune(1)),)), "do not train"),
        (lambda: MixedPrecision(4, (Uniform(),)), "choices are Quantize steps"),
        (lambda: MixedPrecision(4, CHOICES, gptq), "takes no W_new|asks for 'grid'"),
        (lambda: MixedPrecision(1, CHOICES)(NETWORK, Data(DATA.train, DATA.validation)), "the smallest choices take"),
    ],
)
def test_bad_arguments(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
