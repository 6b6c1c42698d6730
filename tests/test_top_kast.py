"""Top-KAST: who takes part, who learns and who waits, by plain arrays."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from nncomp.hooks import Hook, TopKAST
from nncomp.hooks.top_kast import Exploring
from nncomp.learning_rate import Constant
from nncomp.losses import by_targets
from nncomp.network import MLP, backward, forward
from nncomp.optim import SGD
from nncomp.prune import keep_erdos_renyi, keep_globally, keep_largest
from nncomp.steps import FineTune, Prune, Sparsify
from nncomp.weights import Dense, Nested, Sparse
from tests.strategies.data import small

DATA = small(4)
START = MLP.init([8, 10, 3])


def largest(w: np.ndarray, n: int) -> np.ndarray:
    """True at the n largest of |w|."""
    mask = np.zeros(w.size, bool)
    mask[np.argsort(-np.abs(w).ravel(), kind="stable")[:n]] = True
    return mask.reshape(w.shape)


class Watch(Hook):
    """What is stored after each update: B, its values, and how many of them take part."""

    def __init__(self) -> None:
        self.seen: list[list[tuple[np.ndarray, np.ndarray, int]]] = []

    def after_update(self, t: int, network: MLP) -> None:
        stored = [layer.weight for layer in network.layers if isinstance(layer.weight, Nested)]
        self.seen.append([(w.mask, w.values.copy(), w.part) for w in stored])


def test_by_plain_arrays() -> None:
    """Five updates by SGD on all samples: forward with A, gradients and penalty in B, the rest as it was."""
    rate, decay, D = 0.3, 0.5, 1 - 0.7
    during = FineTune(epochs=5, batch=60, optimizer=SGD(rate, momentum=0.0), schedule=Constant())
    watch = Watch()
    trained = Sparsify(TopKAST(0.7, 0.4, decay, interval=2), during)(START, DATA, [watch])
    theta = [layer.weight.dense().astype(float) for layer in START.layers]
    biases = [np.zeros(10), np.zeros(3)]
    a, b = ([int(m.sum()) for m in keep_erdos_renyi([np.abs(w) for w in theta], s)] for s in (0.7, 0.4))
    learning = [largest(w, n) for w, n in zip(theta, b)]
    for t in range(1, 6):
        part = [largest(w * m, n) for w, m, n in zip(theta, learning, a)]
        layers = [
            type(layer)(Dense(w * m), c, layer.activation) for layer, w, m, c in zip(START.layers, theta, part, biases)
        ]
        network = MLP(tuple(layers))
        y, tape = forward(network, DATA.train.x)
        gradients = backward(network, tape, {1: by_targets(y, DATA.train.y)[1]})
        for i, (dw, db) in enumerate(gradients):
            pull = np.where(part[i], decay, decay / D) * theta[i]
            theta[i] = np.where(learning[i], theta[i] - rate * (dw + pull), theta[i])
            biases[i] = biases[i] - rate * db
        for (mask, values, _), w, m in zip(watch.seen[t - 1], theta, learning, strict=True):
            np.testing.assert_array_equal(mask, m)
            np.testing.assert_allclose(values, w[m], rtol=1e-4, atol=1e-6)
        if t % 2 == 0:
            moved = [largest(w, n) for w, n in zip(theta, b)]
            changed = any((x != y).any() for x, y in zip(moved, learning))
            learning = moved
    assert changed, "B has been another one"
    for layer, w, m, n, bias in zip(trained.layers, theta, learning, a, biases):
        assert type(layer.weight) is Sparse
        np.testing.assert_array_equal(layer.weight.mask, largest(w * m, n))
        np.testing.assert_allclose(layer.weight.dense(), w * largest(w * m, n), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(layer.bias, bias, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("keep", [keep_erdos_renyi, keep_largest, keep_globally])
def test_as_many_take_part_and_learn_all_the_time(keep: Callable) -> None:
    watch = Watch()
    by = TopKAST(0.8, 0.5, interval=1, keep=keep)
    trained = Sparsify(by, FineTune(epochs=3, batch=20))(START, DATA, [watch])
    seen = [[(part, values.size) for _, values, part in stored] for stored in watch.seen]
    assert all(counts == seen[0] and len(counts) == 2 for counts in seen)
    assert [layer.weight.multiply_adds for layer in trained.layers] == [a for a, _ in seen[0]]
    assert abs(sum(a for a, _ in seen[0]) - 0.2 * 110) <= 1 and abs(sum(b for _, b in seen[0]) - 0.5 * 110) <= 1


def test_pruned_afterwards_only_what_took_part_is_left() -> None:
    w = Nested.within(np.array([[3.0, -2.0, 1.0, 0.5]]), np.array([[True, True, True, False]]), part=2)
    kept = w.masked(np.array([[True, False, True, True]]))
    assert type(kept) is Sparse and kept.mask.tolist() == [[True, False, False, False]]


def test_what_is_kept_of_a_training_is_what_it_goes_on_with() -> None:
    by = TopKAST(0.7, 0.4, interval=1)
    hook = Exploring(by, [layer.weight.dense() for layer in START.layers])
    hook.before_training(5, START)
    other = {name: np.roll(a, 1, axis=1) for name, a in hook.state().items()}
    for name, a in hook.state().items():
        a[...] = other[name]
    moved = hook.rewire(1, by.start(START), lambda: [])
    for i, layer in enumerate(by.start(START).layers):
        assert isinstance(layer.weight, Nested)
        w = np.where(layer.weight.mask, layer.weight.dense(), other[f"theta.{i}"])
        w[layer.weight.rows, layer.weight.columns] = layer.weight.values
        np.testing.assert_array_equal(moved[i].mask, largest(w, layer.weight.values.size))
    assert all((w == layer.weight.dense()).all() for w, layer in zip(hook.theta, START.layers)), (
        "the given are as given"
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: TopKAST(0.5, 0.9), "fewer take part than learn, and some do: not 0.5 and 0.9 sparse"),
        (lambda: TopKAST(1.0, 0.9), "not 1.0 and 0.9 sparse"),
        (lambda: TopKAST(decay=np.inf), "a decay is at least 0 and finite, not inf"),
        (lambda: TopKAST(interval=0), "interval is a whole number of at least 1"),
        (lambda: TopKAST(keep="all"), "keep is a function, not 'all'"),
        (lambda: Sparsify(TopKAST())(Prune(0.5)(START, DATA), DATA), "starts from dense weights"),
        (
            lambda: Nested.within(np.ones((1, 2)), np.ones((1, 2), bool), 3),
            "from 0 to all take part, not 3",
        ),
    ],
)
def test_bad_arguments(call: Callable, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
