"""Every step takes every other's output, or says in one line why not."""

from functools import partial
from itertools import product

import numpy as np
import pytest

import nncomp.factor
import nncomp.formats
import nncomp.optim
import nncomp.prune
import nncomp.quantize
import nncomp.steps
from nncomp.data import Data
from nncomp.factor import svd
from nncomp.network import MLP
from nncomp.prune import keep_largest, obc, row_l1, synflow
from nncomp.quantize import Percentile, lqer, magr, optimal_kmeans, spqr
from nncomp.steps import (
    Distill,
    Factor,
    FineTune,
    Preprocess,
    Prune,
    Quantize,
    Reconstruct,
    Share,
    Shrink,
    Update,
    compress,
    stages,
)
from tests.steps.examples import DATA, SHORT, STEPS, total


@pytest.mark.parametrize(("first", "second"), list(product(STEPS, STEPS)), ids=lambda s: type(s).__name__)
def test_every_step_takes_every_other_steps_output(dense: MLP, first, second) -> None:  # type: ignore[no-untyped-def]
    network = first(dense, DATA)
    codes_fixed = isinstance(second, Reconstruct | Shrink) or (isinstance(second, Prune) and second.during)
    codes_fixed = codes_fixed and isinstance(first, Quantize | Share | Factor)
    if codes_fixed or (isinstance(first, Quantize | Factor) and isinstance(second, Share)):
        with pytest.raises(ValueError, match="before quantizing"):
            second(network, DATA)
        return
    pairs = isinstance(first, Factor) and first.sparsity == 1
    decoded = isinstance(first, FineTune | Distill | Update | Shrink | Preprocess)
    decoded = decoded or (pairs and isinstance(second, Factor))
    whole = pairs and isinstance(second, Quantize) and second.through is not None
    shared = isinstance(first, Share) and isinstance(second, Quantize)
    if (whole or needs_dense_floats(second)) and not decoded and not shared:
        with pytest.raises(ValueError, match="dense float"):
            second(network, DATA)
        return
    result = second(network, DATA)
    assert np.isfinite(result(DATA.validation.x)).all()
    if isinstance(second, Prune):
        expected = total(network) - round(second.sparsity * total(network))
        assert sum(np.count_nonzero(layer.weight.dense()) for layer in result.layers) <= expected


def needs_dense_floats(step) -> bool:  # type: ignore[no-untyped-def]
    by_layer = isinstance(step, Quantize) and (step.method is not None or step.rank > 0)
    return by_layer or isinstance(step, Preprocess | Factor)


def test_compress_hides_the_test_split(dense: MLP) -> None:
    given = []

    def spy(network: MLP, data: Data, hooks: object = ()) -> MLP:
        given.append(data.test)
        return network

    assert compress(dense, [spy, spy], DATA) is dense and given == [None, None]
    assert [name for name, _ in stages(dense, [Prune(0.1), Quantize()], DATA)] == ["Prune", "Quantize"]
    assert compress(dense, [], DATA) is dense


def test_the_repr_of_a_recipe_reproduces_it() -> None:
    names: dict[str, object] = {"partial": partial}
    for module in (nncomp.factor, nncomp.formats, nncomp.optim, nncomp.prune, nncomp.quantize, nncomp.steps):
        names |= vars(module)
    for step in [
        *STEPS[:6],
        Reconstruct(0.5, obc),
        Shrink(0.2, scores=row_l1),
        Prune(0.9, scores=row_l1, keep=keep_largest),
        Prune(0.9, scores=synflow, rounds=100),
        Quantize(input_ranges=Percentile(99.0)),
        Share(8, optimal_kmeans),
        Preprocess(magr, samples=9),
        Quantize(method=spqr, rank=3, low_rank=lqer),
        Factor(budget=0.5, by=svd, during=SHORT),
    ]:
        assert eval(repr(step), names) == step
    shown = "Prune(sparsity=0.5, scores=partial(ria, a=1.0), keep=partial(keep_blocks, block=(4, 2)))"
    assert repr(eval(shown, names)) == shown
