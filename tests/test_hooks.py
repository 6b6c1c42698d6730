"""Hooks: called in order, with what they need; and the two regularizers that are hooks."""

from dataclasses import replace

import numpy as np
import pytest

from nncomp.formats import Uniform, mxfp4
from nncomp.hooks import ClipGradients, Hook, MaxNorm
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize import round_to_nearest
from nncomp.steps import Quantize, Share
from nncomp.training import train
from nncomp.transforms import FakeQuantize
from nncomp.weights import Dense, Latent, Quantized, Sparse
from tests.strategies.data import small
from tests.test_training import blobs


class Recorder(Hook):
    def __init__(self) -> None:
        self.calls: list[object] = []

    def before_training(self, total: int, network: MLP) -> None:
        self.calls.append(("before", total))

    def after_backward(self, t: int, network: MLP, gradients: list[tuple[np.ndarray, ...]]) -> None:
        self.calls.append(("backward", t, [[g.shape for g in layer] for layer in gradients]))

    def after_update(self, t: int, network: MLP) -> None:
        self.calls.append(("update", t))

    def after_epoch(self, epoch: int, network: MLP, loss: float) -> None:
        self.calls.append(("epoch", epoch, np.isfinite(loss)))


def test_hooks_are_called_in_order_and_see_gradients_beside_params() -> None:
    recorder, network = Recorder(), MLP.init([3, 4, 3])
    train(network, blobs(n=5), epochs=2, batch=3, hooks=[recorder])
    shapes = [[p.shape for p in layer] for layer in network.params]
    step = [(kind, shapes) for kind in ("backward", "update")]
    expected: list[object] = [("before", 4)]
    for t in range(1, 5):
        expected += [("backward", t, step[0][1]), ("update", t)]
        expected += [("epoch", t // 2, True)] if t % 2 == 0 else []
    assert recorder.calls == expected


def test_a_hook_that_looks_sees_the_network_of_now() -> None:
    """What a layer prepares for inference never outlives an update."""
    seen = []

    class Look(Hook):
        def after_update(self, t: int, network: MLP) -> None:
            seen.append(np.array_equal(network(x), network.copied()(x)))

    x = blobs().x
    latent = MLP.init([3, 3]).with_layers(lambda l: replace(l, weight=Latent.of(FakeQuantize(), l.weight.dense())))
    train(latent, blobs(), epochs=3, hooks=[Look()])
    assert seen and all(seen)


@pytest.mark.parametrize("hook", [ClipGradients, MaxNorm])
def test_a_limit_is_positive(hook: type) -> None:
    for limit in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=f"a norm's limit is positive, not {limit}"):
            hook(limit)


def test_clip_and_max_norm() -> None:
    g = [(np.full((2, 2), 3.0), np.full(4, 4.0))]
    ClipGradients(5.0).after_backward(1, MLP.init([1, 1]), g)
    np.testing.assert_allclose(np.sqrt(sum((a**2).sum() for a in g[0])), 5.0)
    np.testing.assert_allclose(g[0][0] / g[0][1][0], 0.75)
    small = [(np.full(4, 0.1),)]
    ClipGradients(5.0).after_backward(1, MLP.init([1, 1]), small)
    np.testing.assert_array_equal(small[0][0], np.full(4, 0.1))
    network = train(MLP.init([3, 8, 3]), blobs(), optimizer=Adam(rate=0.05), epochs=5, hooks=[MaxNorm(0.7)])
    norms = [np.linalg.norm(layer.weight.dense(), axis=1) for layer in network.layers]
    assert all(n.max() <= 0.7 * (1 + 1e-6) for n in norms) and max(n.max() for n in norms) > 0.69


@pytest.mark.parametrize("form", ["dense", "sparse", "latent", "quantized"])
def test_max_norm_limits_the_rows_of_what_holds_weights(form: str) -> None:
    w = np.array([[3.0, 0.0, 4.0], [0.0, 0.0, 0.0], [0.6, 0.0, 0.0], [0.0, 0.0, 10.0]])
    weight = {
        "dense": Dense(w.copy()),
        "sparse": Sparse.from_dense(w),
        "latent": Latent.of(FakeQuantize(Uniform()), w.copy()),
        "quantized": Quantized(*round_to_nearest(w, Uniform())),
    }[form]
    network = MLP((Linear(weight, np.zeros(4)),))
    before = weight.dense()
    MaxNorm(1.0).after_update(1, network)
    held = weight.w if isinstance(weight, Latent) else weight.dense()
    expected = before if form == "quantized" else w / np.array([[5], [1], [1], [10]])
    np.testing.assert_allclose(held, expected, rtol=1e-15)


def test_max_norm_leaves_what_does_not_train() -> None:
    data = small(0)
    for step in (Quantize(), Quantize(mxfp4, inputs=None), Share(4)):
        network = step(MLP.init([8, 5, 3]), data)
        before = [layer.weight.dense() for layer in network.layers]
        MaxNorm(1e-3).after_update(1, network)
        for layer, W in zip(network.layers, before):
            np.testing.assert_array_equal(layer.weight.dense(), W)
