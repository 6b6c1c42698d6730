"""Costs against sums written out by hand, answers counted by hand, and what latency times."""

import gc
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from nncomp import measure
from nncomp.activations import Activation
from nncomp.data import Split
from nncomp.formats import Grid, PerGroup, PerTensor, Uniform
from nncomp.kernels.simd.path import GROUP
from nncomp.kernels.threads import limit_threads, split
from nncomp.layer import Linear
from nncomp.measure import Cost, accuracy, agreement, form, latency, layer_cost, network_cost, outputs, predictions
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.quantize import Dynamic, round_to_nearest
from nncomp.transforms import FakeQuantize
from nncomp.weights import Dense, Latent, LowRank, Quantized, Shared, Sparse, Sum

# 2 outputs, 5 inputs, 4 weights of 10 that are not 0, 1 bias of 2: 12 parameters, 5 nonzeros.
W = np.array([[1, 0, -2, 0, 0], [0, 0, 3, 0, 4]], np.float32)
BIAS = np.array([0, 1], np.float32)
SPARSE = Sparse.from_dense(W)  # 4 columns and 3 row starts, of a byte each
LISTS = 4 * 2 + 3 * 8 + 2 * 4 + 2 * 8  # what its kernel reads: columns, where rows begin, which rows, two column bounds
EIGHT = Quantized.of(*round_to_nearest(np.eye(2, dtype=np.float32), Uniform()))
ASYMMETRIC = Uniform(signed=False, symmetric=False)


def grid(format: Uniform, per: Any = None) -> Grid:
    return round_to_nearest(W, format, per)[1]


def shared(dtype: type, mask: np.ndarray | None = None) -> Shared:
    values, indices = np.unique(W, return_inverse=True)
    return Shared.of(indices.reshape(W.shape).astype(np.uint8), values.astype(dtype), mask)


@pytest.mark.parametrize(
    ("weight", "stored", "beside", "multiply_adds"),
    [
        pytest.param(Dense(W), 10 * 4, 0, 10, id="dense"),
        pytest.param(Dense(W.astype(np.float64)), 10 * 8, 0, 10, id="dense float64"),
        pytest.param(SPARSE, 4 * 4 + 4 + 3, LISTS, 4, id="sparse"),
        pytest.param(Sparse.from_dense(W, np.ones(W.shape, bool)), 10 * 4 + 10 + 3, LISTS + 6 * 2, 10, id="all kept"),
        pytest.param(Quantized.encoded(Dense(W), grid(Uniform())), 10 + 2 * 4, 40, 10, id="codes"),
        pytest.param(Quantized.encoded(Dense(W), grid(Uniform(), PerTensor())), 10 + 4, 40, 10, id="one scale"),
        pytest.param(Quantized.encoded(Dense(W), grid(ASYMMETRIC)), 10 + 2 * (4 + 1), 40, 10, id="zero points"),
        # Groups of 2 of 5 columns: 3 scales a row. Codes of 4 bits take half a byte, of 16 bits two.
        pytest.param(Quantized.encoded(Dense(W), grid(Uniform(4), PerGroup(2))), 5 + 6 * 4, 40, 10, id="groups"),
        pytest.param(Quantized.encoded(Dense(W), grid(Uniform(16))), 10 * 2 + 2 * 4, 40, 10, id="16 bits"),
        pytest.param(Quantized.encoded(SPARSE, grid(Uniform())), 4 + 7 + 2 * 4, 16 + LISTS, 4, id="sparse codes"),
        pytest.param(
            Quantized.encoded(SPARSE, grid(Uniform(), PerGroup(2))), 4 + 7 + 24, 16 + LISTS, 4, id="in groups"
        ),
        # Five values are told apart by 3 bits; ten times as many are 4 bytes.
        pytest.param(shared(np.float64), 4 + 5 * 8, 80, 10, id="shared"),
        pytest.param(shared(np.float32, W != 0), 4 + 7 + 5 * 4, 16 + LISTS, 4, id="sparse shared"),
        pytest.param(LowRank.of(np.eye(2, dtype=np.float32), W), 4 * 4 + 10 * 4, 0, 14, id="factors"),
        # Codes of a factor are decoded to run.
        pytest.param(LowRank(EIGHT, Dense(W)), (4 + 2 * 4) + 10 * 4, 4 * 4, 14, id="codes times floats"),
        # Together they are one dense matrix when they run, 4 bytes a weight.
        pytest.param(Sum((LowRank.of(np.eye(2, dtype=np.float32), W / 2), Dense(W / 2))), 56 + 40, 40, 24, id="sum"),
        pytest.param(Quantized.encoded(SPARSE, grid(ASYMMETRIC)), 4 + 7 + 10, 16 + LISTS, 4, id="sparse zero points"),
    ],
)
def test_each_form_by_hand(weight: Any, stored: int, beside: int, multiply_adds: int) -> None:
    bias = BIAS.astype(weight.dtype)
    stored += bias.nbytes
    assert layer_cost(Linear(weight, bias)) == Cost(12, 5, stored, stored + beside, multiply_adds)


def owned(root: Any) -> int:
    """Bytes of the arrays that own their memory among all that the garbage collector reaches from `root`."""
    seen: dict[int, Any] = {}
    waiting = [root]
    while waiting:
        thing = waiting.pop()
        if id(thing) not in seen and not isinstance(thing, type | ModuleType | FunctionType | BuiltinFunctionType):
            seen[id(thing)] = thing
            waiting += [thing.base] if isinstance(thing, np.ndarray) else gc.get_referents(thing)
    return sum(a.nbytes for a in seen.values() if isinstance(a, np.ndarray) and a.base is None)


@pytest.mark.parametrize("per", [None, PerGroup(2)])
@pytest.mark.parametrize("format", [Uniform(), ASYMMETRIC, Uniform(16)])
@pytest.mark.parametrize("weight", [Dense(W), SPARSE])
@pytest.mark.parametrize("input", [None, Dynamic(Uniform()), Grid(Uniform(), np.ones((1, 1), np.float32))])
def test_what_kernels_read_is_resident(weight: Any, format: Uniform, per: Any, input: Any) -> None:
    layer = Linear(Quantized.encoded(weight, grid(format, per)), BIAS, input=input)
    layer(np.ones((1, 5), np.float32))
    assert layer_cost(layer).resident == owned(layer)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mask", [None, W != 0])
def test_what_shared_weights_are_read_from_is_resident(dtype: type, mask: np.ndarray | None) -> None:
    layer = Linear(shared(dtype, mask), BIAS.astype(dtype))
    layer(np.ones((1, 5), dtype))
    assert layer_cost(layer).resident == owned(layer)


@pytest.mark.parametrize(
    "other", [Dense(W), LowRank.of(np.eye(2, dtype=np.float32), W), SPARSE, LowRank(EIGHT, SPARSE)]
)
def test_what_sums_are_read_from_is_resident(other: Any) -> None:
    layer = Linear(Sum((Quantized.encoded(SPARSE, grid(Uniform())), other)), BIAS)
    layer(np.ones((1, 5), np.float32))
    assert layer_cost(layer).resident == owned(layer)


def test_integer_layers_keep_no_decoded_weight() -> None:
    weight = Quantized.encoded(SPARSE, grid(Uniform()))
    fixed = Grid(ASYMMETRIC, np.ones((1, 1), np.float32), np.zeros((1, 1), np.uint8))
    stored = 4 + 7 + 8 + 8  # codes, pattern, scales, bias
    # A fixed grid's zero point in int32, or a fitted one's places, which are in 4 bytes each as well.
    in_groups = sum(-(-size // GROUP) * GROUP for size in (2, 2))
    kept = in_groups * (1 + 2) + 3 * 8 + 2 * 4 + 2 * 4  # steps and columns, where rows begin, sums, zero points
    assert layer_cost(Linear(weight, BIAS, input=fixed)) == Cost(12, 5, stored + 5, stored + 5 + kept + 4, 4)
    assert layer_cost(Linear(weight, BIAS, input=Dynamic(Uniform()))) == Cost(12, 5, stored, stored + kept + 8, 4)


def test_batch_norm_stores_four_vectors() -> None:
    plain, normed = (layer_cost(Linear(Dense(W), BIAS, norm=norm)) for norm in (None, BatchNorm.init(2)))
    assert normed == Cost(12, 5, plain.stored + 4 * 2 * 4, plain.resident + 4 * 2 * 4, 10)


def test_a_network_costs_the_sum_of_its_layers() -> None:
    second = Linear(Dense(np.ones((3, 2), np.float32)), np.zeros(3, np.float32))
    cost = network_cost(MLP((Linear(SPARSE, BIAS), second)))
    assert cost == Cost(12 + 9, 5 + 6, (23 + 8) + (24 + 12), (23 + 8 + LISTS) + (24 + 12), 4 + 6)
    assert cost.bits_per_weight == 8 * 67 / 21


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (Dense(W), "dense float32"),
        (Dense(W.astype(np.float64)), "dense float64"),
        (SPARSE, "sparse float32"),
        (Quantized.encoded(Dense(W), grid(Uniform(4))), "dense int4"),
        (Quantized.encoded(SPARSE, grid(ASYMMETRIC)), "sparse uint8"),
        (shared(np.float32), "shared 5 float32"),
        (shared(np.float64, W != 0), "sparse shared 5 float64"),
        (Latent.of(FakeQuantize(), W), "latent float32"),
        (LowRank.of(W, np.eye(5, dtype=np.float32)), "rank 5 float32"),
        (LowRank(EIGHT, EIGHT), "rank 2 int8"),
        (LowRank(EIGHT, SPARSE), "rank 2 int8 x sparse float32"),
        (LowRank(EIGHT, Dense(W)), "rank 2 int8 x float32"),
        (Sum((Quantized.encoded(Dense(W), grid(Uniform(3))), SPARSE)), "dense int3 + sparse float32"),
    ],
)
def test_forms_have_words(weight: Any, words: str) -> None:
    assert form(weight) == words


EYE = np.eye(7, dtype=np.float32)


def network(*classes: int) -> MLP:
    """Says `classes[i]` for row i of `EYE`."""
    w = np.zeros((3, 7), np.float32)
    w[classes, range(7)] = 1
    return MLP((Linear(Dense(w), np.zeros(3, np.float32)),))


@pytest.mark.parametrize("batch", [1, 3, 7, 1000])
def test_predictions_come_in_order_whatever_the_batch(batch: int) -> None:
    expected = [0, 1, 2, 2, 1, 0, 2]
    assert outputs(network(*expected), EYE, batch).argmax(axis=1).tolist() == expected
    assert predictions(network(*expected), EYE).tolist() == expected


def test_accuracy_and_agreement_are_counted() -> None:
    a, b = network(0, 1, 2, 2, 1, 0, 2), network(0, 2, 2, 1, 1, 0, 0)
    labels = np.array(
        [0, 1, 2, 0, 0, 0, 0]
    )  # a is right on 0, 1, 2, 5; b on 0, 2, 5, 6; both say the same on 0, 2, 4, 5
    assert accuracy(a, Split(EYE, labels)) == accuracy(b, Split(EYE, labels)) == 4 / 7
    assert agreement(a, b, EYE) == agreement(b, a, EYE) == 4 / 7, "right or wrong"
    assert agreement(a, a, EYE) == 1


SEEN: list[tuple[tuple[int, ...], np.dtype, list[int]]] = []


@dataclass(frozen=True)
class Watched(Activation):
    """The identity, which writes down what it sees and on how many threads of BLAS and of the kernels."""

    def forward(self, z: np.ndarray) -> np.ndarray:
        blas = [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]
        parts: list[int] = []
        split(lambda start, stop: parts.append(start), count=100, work=2**60)
        SEEN.append((z.shape, z.dtype, [*blas, len(parts)]))
        return z


def test_latency_is_the_median_of_calls_after_the_first_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    SEEN.clear()
    clock = iter([0, 1, 10, 19, 20, 22])  # calls of 1, 9 and 2 seconds
    monkeypatch.setattr(measure, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    with limit_threads(3):
        assert latency(MLP((Linear(Dense(W), BIAS, Watched()),)), batch=4, runs=3) == 2
    assert [(shape, dtype) for shape, dtype, _ in SEEN] == [((4, 2), np.float32)] * 4, (
        "one call that prepares, three timed"
    )
    assert all(n == 1 for _, _, threads in SEEN[1:] for n in threads)


def test_nothing_to_measure() -> None:
    small = network(0, 1, 2, 2, 1, 0, 2)
    assert outputs(small, np.zeros((0, 7), np.float32)).shape == (0, 3)
    for batch, runs in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match=f"at least one sample and one run are timed, not {batch} and {runs}"):
            latency(small, batch, runs)
