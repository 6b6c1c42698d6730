"""Dynamic network surgery against loops: thresholds, splicing, and pruned weights that go on learning."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.data import Data, Split
from nncomp.hooks import Hook, Surgery
from nncomp.learning_rate import Constant
from nncomp.losses import by_targets
from nncomp.network import MLP, backward, forward
from nncomp.optim import SGD, Adam
from nncomp.steps import FineTune, Prune, Sparsify
from nncomp.weights import Sparse
from tests.strategies.weights import seeds

RNG = np.random.default_rng(6)
Y = RNG.integers(0, 3, 60)
X = (RNG.standard_normal((60, 8)) + 2 * np.eye(3, 8)[Y]).astype(np.float32)
DATA = Data(Split(X, Y), Split(X[:9], Y[:9]))
NETWORK = MLP.init([8, 10, 3])


@given(seeds, st.floats(0, 1), st.floats(0, 2))
def test_splicing_by_loops(seed: int, slack: float, s: float) -> None:
    rng = np.random.default_rng(seed)
    W, T = rng.standard_normal((3, 4)), rng.random((3, 4)) < 0.5
    found = Surgery(slack=slack).spliced(W, T, s)
    for w, before, after in zip(W.ravel().tolist(), T.ravel(), found.ravel()):
        expected = False if abs(w) < (1 - slack) * s else True if abs(w) >= (1 + slack) * s else before
        assert after == expected


def test_a_training_by_hand() -> None:
    """Five updates on all samples: the gradient of the masked network moves every W, and T follows every second."""
    by = Surgery(c=0.2, slack=0.3, interval=2, until=1.0)
    during = FineTune(epochs=5, batch=60, optimizer=SGD(0.5, momentum=0.0), schedule=Constant())
    trained = Sparsify(by, during)(NETWORK, DATA)
    W = [layer.weight.dense().astype(float) for layer in NETWORK.layers]
    b = [layer.bias.astype(float) for layer in NETWORK.layers]
    s = [np.abs(w).mean() + 0.2 * np.abs(w).std() for w in W]
    T = [np.abs(w) >= 0.7 * level for w, level in zip(W, s)]  # all were kept before
    for t in range(1, 6):
        network = MLP.init([8, 10, 3], dtype=np.float64).with_params([(w * m, v) for w, m, v in zip(W, T, b)])
        y, tape = forward(network, X)
        for i, (dw, db) in enumerate(backward(network, tape, {1: by_targets(y, Y)[1]})):
            W[i], b[i] = W[i] - 0.5 * dw, b[i] - 0.5 * db
        if t % 2 == 0:
            for i, (w, m) in enumerate(zip(W, T)):
                T[i] = np.where(np.abs(w) < 0.7 * s[i], False, m | (np.abs(w) >= 1.3 * s[i]))
    for layer, w, m in zip(trained.layers, W, T):
        assert isinstance(layer.weight, Sparse)
        np.testing.assert_allclose(layer.weight.dense(), w * m, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(layer.weight.mask, m)


def test_what_was_pruned_can_come_back() -> None:
    masks: list[np.ndarray] = []

    class Watch(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            masks.append(network.layers[0].weight.dense() != 0)

    by = Surgery(c=0.5, interval=1, until=1.0)
    Sparsify(by, FineTune(epochs=30, batch=20, optimizer=Adam(0.03)))(NETWORK, DATA, [Watch()])
    assert any((later & ~earlier).any() for earlier, later in pairwise(masks))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Surgery(c=np.nan), "c is finite, not nan"),
        (lambda: Surgery(slack=-0.1), "between 0 and 1, not -0.1"),
        (lambda: Surgery(interval=0), "interval is a whole number of at least 1, not 0"),
        (lambda: Sparsify(Surgery())(Prune(0.5)(NETWORK, DATA), DATA), "surgery is on dense weights"),
    ],
)
def test_bad_settings(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
