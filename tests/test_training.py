"""The training loop: against a textbook loop, pure, reproducible, with hooks, and with losses that train too."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pytest

from nncomp.activations import Tanh
from nncomp.data import Split
from nncomp.formats import Uniform
from nncomp.hooks import Hook
from nncomp.learning_rate import Cosine
from nncomp.losses import squared_error
from nncomp.network import MLP
from nncomp.objective import Batch, Loss, Passed, Supervised
from nncomp.optim import SGD, Adam
from nncomp.quantize import round_to_nearest
from nncomp.training import train
from nncomp.weights import Quantized, Sparse


def blobs(seed: int = 0, n: int = 120) -> Split:
    """Three classes around three corners of a cube."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    return Split((np.eye(3)[y] + 0.2 * rng.standard_normal((n, 3))).astype(np.float32), y)


def test_one_hidden_layer_by_loops() -> None:
    """SGD on squared error, one weight at a time in Python floats, in the order of the seeded permutation."""
    rng = np.random.default_rng(5)
    data = Split(rng.standard_normal((7, 2)), rng.standard_normal((7, 1)))
    network = MLP.init([2, 3, 1], Tanh(), seed=1, dtype=np.float64)
    trained = train(network, data, Supervised(squared_error), SGD(0.1, momentum=0), epochs=2, batch=3, seed=9)

    W, b, V, c = (p.tolist() for layer in network.params for p in layer)
    order_rng = np.random.default_rng(9)
    for _ in range(2):
        order = order_rng.permutation(7).tolist()
        for batch in (order[:3], order[3:6], order[6:]):
            dW, db = [[0.0, 0.0] for _ in W], [0.0] * 3
            dV, dc = [[0.0] * 3], [0.0]
            for n in batch:
                x, y = data.x[n].tolist(), float(data.y[n, 0])
                h = [np.tanh(sum(w * v for w, v in zip(W[j], x)) + b[j]) for j in range(3)]
                dz = 2 * (sum(V[0][j] * h[j] for j in range(3)) + c[0] - y) / len(batch)
                dc[0] += dz
                for j in range(3):
                    dV[0][j] += dz * h[j]
                    slope = dz * V[0][j] * (1 - h[j] ** 2)
                    db[j] += slope
                    for k in range(2):
                        dW[j][k] += slope * x[k]
            for j in range(3):
                V[0][j] -= 0.1 * dV[0][j]
                b[j] -= 0.1 * db[j]
                for k in range(2):
                    W[j][k] -= 0.1 * dW[j][k]
            c[0] -= 0.1 * dc[0]
    for got, expected in zip((p for layer in trained.params for p in layer), (W, b, V, c)):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("norm", [False, True])
def test_pure_and_reproducible(norm: bool) -> None:
    network, data = MLP.init([3, 5, 3], norm=norm), blobs()
    arrays = [p for layer in network.params for p in layer] + [data.x, data.y]
    if norm:
        arrays += [network.layers[0].norm.mean, network.layers[0].norm.var]  # type: ignore[union-attr]
    for a in arrays:
        a.flags.writeable = False
    runs = [train(network, data, epochs=2, batch=16, dropout=[0.1, 0.1], seed=s) for s in (3, 3, 4)]
    assert runs[0].fingerprint() == runs[1].fingerprint() != runs[2].fingerprint()
    if norm:
        mean = runs[0].layers[0].norm.mean  # type: ignore[union-attr]
        assert mean.tobytes() == runs[1].layers[0].norm.mean.tobytes() and mean.any()  # type: ignore[union-attr]


def test_every_form_trains_in_its_own_form() -> None:
    data = blobs()
    dense = MLP.init([3, 8, 3])
    sparse = dense.with_layers(
        lambda l: replace(l, weight=Sparse.from_dense(l.weight.dense(), np.abs(l.weight.dense()) > 0.2))
    )
    codes = dense.with_layers(
        lambda l: replace(l, weight=Quantized(*round_to_nearest(l.weight.dense(), Uniform(bits=4))))
    )
    for network in (dense, sparse, codes):
        trained = train(network, data, optimizer=Adam(rate=0.01), epochs=30, batch=10)
        before, after = (np.mean(n(data.x).argmax(axis=1) == data.y) for n in (network, trained))
        assert after > (before + 0.2 if network is codes else 0.9), "eleven scales alone cannot do it all"
        for old, new in zip((l.weight for l in network.layers), (l.weight for l in trained.layers)):
            assert type(old) is type(new)
            if isinstance(old, Sparse):
                np.testing.assert_array_equal(old.mask, new.mask)
            if isinstance(old, Quantized):
                np.testing.assert_array_equal(old.codes, new.codes)
                assert (old.grid.scale != new.grid.scale).all()


def test_augmented_samples_are_learned_in_place_of_the_given() -> None:
    network, data = MLP.init([3, 5, 3]), blobs()
    augmented = train(network, data, augment=lambda x, rng: x + 1, epochs=2)
    assert augmented.fingerprint() == train(network, Split(data.x + 1, data.y), epochs=2).fingerprint()


def test_early_stopping_returns_the_best() -> None:
    data, held = blobs(0, 30), blobs(1)
    accuracies = []

    class Watch(Hook):
        def after_epoch(self, epoch: int, network: MLP, loss: float) -> None:
            accuracies.append(float(np.mean(network.copied()(held.x).argmax(axis=1) == held.y)))

    options = dict(optimizer=SGD(2.0), epochs=60, batch=5, schedule=Cosine(0.5), validation=held, patience=4)
    best = train(MLP.init([3, 4, 3]), data, hooks=[Watch()], **options)  # type: ignore[arg-type]
    first = accuracies.index(max(accuracies))
    assert len(accuracies) == min(60, first + 5) < 60
    assert np.mean(best(held.x).argmax(axis=1) == held.y) == max(accuracies)


@dataclass(frozen=True, eq=False)
class Hint:
    """FitNets in miniature: regress a teacher's hidden activations from the student's, by a matrix that trains."""

    target: np.ndarray
    R: np.ndarray

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (self.R,)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        return replace(self, R=params[0])

    def __call__(self, layers: Sequence[Passed], batch: Batch) -> Loss:
        loss, dprediction = squared_error(layers[0].a @ self.R.T, self.target[batch.index])
        seen.append((loss, self.R.copy()))
        return Loss(loss, {0: dprediction @ self.R}, dparams=(dprediction.T @ layers[0].a,))


seen: list[tuple[float, np.ndarray]] = []


def test_a_loss_may_look_at_hidden_layers_and_train_arrays_of_its_own() -> None:
    seen.clear()
    data = blobs()
    hint = Hint(np.tanh(data.x @ np.ones((3, 4), np.float32)), np.full((4, 5), 0.1, np.float32))
    hint.R.flags.writeable = False
    train(MLP.init([3, 5, 3], Tanh()), data, hint, Adam(rate=0.02), epochs=20)
    assert seen[-1][0] < 0.1 * seen[0][0] and not np.array_equal(seen[0][1], seen[-1][1])
    assert (np.float32(0.1) == hint.R).all(), "the caller's loss is unchanged"


def test_bad_settings_get_one_clear_error() -> None:
    network, data = MLP.init([3, 3]), blobs()
    for options, message in [
        (dict(epochs=0), "not 0 and 100"),
        (dict(batch=0), "not 10 and 0"),
        (dict(patience=2), "needs a validation split"),
        (dict(dropout=[0.1, 0.2]), "a rate per layer: 1, not .0.1, 0.2."),
        (dict(optimizer=SGD(3e38)), "training diverged: outputs from .* at update"),
    ]:
        with pytest.raises(ValueError, match=message):
            train(network, data, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"floats \(batch, 4\)"):
        train(MLP.init([4, 3]), data)
    with pytest.raises(ValueError, match="in 2 classes"):
        train(MLP.init([3, 2]), data)


def test_a_training_that_diverges_in_its_last_update_is_told_too() -> None:
    with pytest.raises(ValueError, match="diverged: NaN or infinite weights after update 1; try a smaller rate"):
        steep = Supervised(lambda y, labels: (0.0, np.full_like(y, 1e3)))
        train(MLP.init([3, 3]), blobs(), steep, SGD(3e38), epochs=1, batch=10_000)


def test_values_are_judged_by_their_squared_error() -> None:
    data, held = (Split(b.x, b.x[:, :1]) for b in (blobs(0, 30), blobs(1)))
    scores = []

    class Watch(Hook):
        def after_epoch(self, epoch: int, network: MLP, loss: float) -> None:
            scores.append(-float(np.mean((network.copied()(held.x) - held.y) ** 2)))

    best = train(
        MLP.init([3, 8, 1]), data, optimizer=SGD(0.5, momentum=0.9), epochs=200, batch=5, validation=held, patience=3,
        hooks=[Watch()],
    )  # fmt: skip
    assert len(scores) == int(np.argmax(scores)) + 4
    assert -float(np.mean((best(held.x) - held.y) ** 2)) == max(scores)
