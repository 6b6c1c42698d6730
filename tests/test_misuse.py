"""What a hurried caller gets wrong: one clear error, before any kernel reads or writes out of bounds."""

import numpy as np
import pytest

import nncomp as nc
from nncomp.quantize.nearest import fit_grid
from nncomp.weights import Quantized

RNG = np.random.default_rng(0)
X, Y = RNG.random((20, 6), np.float32), RNG.integers(0, 3, 20)
DATA = nc.Data.of(X, Y, 5)
NETWORK = nc.MLP.init([6, 5, 3])
W = nc.Sparse.from_dense(np.eye(3, 6, dtype=np.float32))


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def backward_with(gradient: np.ndarray) -> object:
    pruned = nc.Prune(0.5)(NETWORK, DATA)
    return nc.backward(pruned, nc.forward(pruned, X)[1], {1: gradient})


CASES = {
    "a weight that is a list": (lambda: nc.Dense([[1.0]]), "a weight is an array, not a list"),  # type: ignore[arg-type]
    "an integer layer, too wide": (lambda: nc.Quantize()(NETWORK, DATA).layers[0](ones(1, 7)), r"codes \(1, 7\)"),
    "an integer layer, too narrow": (
        lambda: nc.Quantize()(nc.Prune(0.5)(NETWORK, DATA), DATA).layers[0](ones(1, 1)),
        r"codes \(1, 1\) .* \(out, in\) = \(5, 6\)",
    ),
    "a gradient of another batch": (lambda: W.vjp(ones(4, 6), ones(9, 3)), r"float32 \(4, 3\), not float32 \(9, 3\)"),
    "a gradient of another width": (lambda: W.vjp(ones(4, 6), ones(4, 200)), r"not float32 \(4, 200\)"),
    "a saved input of another width": (lambda: W.vjp(ones(4, 1), ones(4, 3)), r"shape \(4, 1\) does not fit"),
    "backward of another batch": (lambda: backward_with(ones(200, 3)), r"put out \(20, 3\); .* cannot be \(200, 3\)"),
    "an optimizer's state of another size": (
        lambda: nc.Adam().update([np.ones(10)], [np.ones(10)], nc.Adam().init([np.ones(2)]), t=1),
        r"state float64 \(2,\) are not updatable",
    ),
    "groups for inputs": (lambda: nc.Dynamic(nc.Uniform(), nc.PerGroup(2)), "per row or per tensor"),  # type: ignore[arg-type]
    "whole-number scores": (lambda: nc.prune.keep_largest(np.array([-128, 1], np.int8), 0.5), "not int8"),
    "whole-number logits": (lambda: nc.losses.cross_entropy(np.eye(3, dtype=int), np.arange(3)), "floats, not int"),
    "more labels than samples": (lambda: nc.Data.of(X, np.arange(40), 5), "20 samples and 40 targets"),
    "labels in two dimensions": (lambda: nc.measure.accuracy(NETWORK, nc.Split(X, Y[:, None])), r"not int64 \(20, 1\)"),
    "a last batch of one before batch norm": (
        lambda: nc.train(nc.MLP.init([6, 5, 3], norm=True), nc.Split(X, Y), batch=19),
        "20 samples leave a last batch of one",
    ),
    "a norm of another dtype": (
        lambda: nc.Linear(nc.Dense(ones(2, 2)), ones(2), norm=nc.BatchNorm.init(2, np.float64)),
        "2 float64 features after 2 float32 outputs",
    ),
    "a norm with NaN": (lambda: nc.BatchNorm(ones(1), ones(1), ones(1), ones(1) * np.nan), "finite vectors"),
    "a class for an activation": (lambda: nc.MLP.init([2, 2, 2], nc.ReLU), "give an instance such as ReLU"),  # type: ignore[arg-type]
    "half a bit": (lambda: nc.Uniform(bits=7.5), "1 to 16 bits, not 7.5"),  # type: ignore[arg-type]
    "latent arrays of others": (
        lambda: nc.Latent(nc.Masked(np.ones((1, 2), bool)), (ones(1),), ones(1, 2)),
        "has arrays of shapes .., not",
    ),
    "no columns in a group": (lambda: nc.Grid(nc.Uniform(), ones(1, 1), None, 0), "at least one, not 0"),
    "a zero point outside": (
        lambda: nc.Grid(nc.Uniform(bits=4), ones(1, 1), np.full((1, 1), 100, np.int8)),
        "not 100 to 100",
    ),
    "a range upside down": (lambda: nc.Uniform().fit(ones(1, 1) * 5, -ones(1, 1) * 5), "from low to high, not from 5"),
    "gradients that overflowed": (
        lambda: nc.ClipGradients(1.0).after_backward(3, NETWORK, [(ones(1) * np.inf,)]),
        "update 3 hold NaN or infinity",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_clear_error(case: str) -> None:
    call, message = CASES[case]
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_sparse_weight_owns_its_pattern() -> None:
    columns = np.array([0, 1], np.uint8)
    weight = nc.Sparse(ones(2), columns, np.array([0, 2], np.uint8), 2)
    columns[:] = 255
    assert weight.apply(ones(1, 2)).tolist() == [[2.0]]
    with pytest.raises(ValueError, match="read-only"):
        weight.columns[:] = 255
    base = np.array([0, 1], np.uint8)
    view = base[:]
    view.flags.writeable = False
    weight = nc.Sparse(ones(2), view, np.array([0, 2], np.uint8), 2)
    base[:] = 255
    assert weight.apply(ones(1, 2)).tolist() == [[2.0]], "read-only through the view, not through its base"


def test_large_gradients_are_clipped_and_not_zeroed() -> None:
    g = ones(4) * np.float32(1e20)
    nc.ClipGradients(1.0).after_backward(1, NETWORK, [(g,)])
    np.testing.assert_allclose(g, 0.5)


def test_networks_that_print_the_same_are_the_same() -> None:
    def one(code: int, scale: float) -> nc.MLP:
        grid = nc.Grid(nc.Uniform(), np.full((1, 1), scale, np.float32))
        return nc.MLP([nc.Linear(Quantized(np.full((1, 1), code, np.int8), grid), ones(1))])  # type: ignore[arg-type]

    prints = {repr(one(1, 0.5)), repr(one(7, 0.5)), repr(one(1, 0.25))}
    assert len(prints) == 3 and repr(one(1, 0.5)) in prints
    a, b = (nc.MLP((nc.Linear(nc.Sparse.from_dense(np.array([w], np.float32)), ones(1)),)) for w in ([1, 0], [0, 1]))
    assert repr(a) != repr(b)


@pytest.mark.parametrize("group", [6, 256, 300])
def test_groups_wider_than_the_layer(group: int) -> None:
    network = nc.Quantize(per=nc.PerGroup(group))(nc.Prune(0.5)(NETWORK, DATA), DATA)
    per_row = nc.Quantize()(nc.Prune(0.5)(NETWORK, DATA), DATA)
    assert network(X).tobytes() == per_row(X).tobytes()
    assert nc.Report.of([("a", network)], DATA).rows[0].cost.multiply_adds == 45 - round(0.5 * 45)


def test_percentiles_are_of_the_weights_that_were_kept() -> None:
    w = np.zeros((2, 100))
    w[0, :5] = [1, 2, 3, 4, 5]
    grid = fit_grid(w, nc.Uniform(), nc.PerRow(), nc.Percentile(95.0), w != 0)
    assert grid.scale.tolist() == [[np.percentile([1, 2, 3, 4, 5], 95) / 127], [1.0]]


def test_more_inputs_than_int32_can_sum_take_the_int64_reference() -> None:
    inputs = (2**31 - 1) // (255 * 127) + 1
    weight = Quantized(np.full((1, inputs), 127, np.int8), nc.Grid(nc.Uniform(), ones(1, 1)))
    layer = nc.Linear(weight, np.zeros(1, np.float32), input=nc.Grid(nc.Uniform(signed=False), ones(1, 1)))
    assert layer(np.full((1, inputs), 127, np.float32)).tolist() == [[np.float32(127 * 127 * inputs)]]


def test_codes_are_no_weight_of_their_own() -> None:
    codes = nc.Sparse.from_dense(np.ones((2, 3), np.int8))
    for use in (lambda: codes.apply(np.ones((1, 3), np.int8)), lambda: codes.forward(np.ones((1, 3), np.int8))):
        with pytest.raises(ValueError, match="int8 numbers are codes: a weight of its own only inside a Quantized"):
            use()
