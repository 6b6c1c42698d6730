"""Weights made sparse by transforms: what each learns, on networks, and what ships."""

import numpy as np
import pytest

from nncomp.network import MLP
from nncomp.optim import SGD, Adam
from nncomp.prune import keep_largest, keep_n_of_m
from nncomp.steps import FineTune, Prune, Quantize, Sparsify
from nncomp.transforms import NofM, Powerpropagation, SoftThreshold, Supermask
from nncomp.weights import Dense, Sparse
from tests.strategies.data import small

RNG = np.random.default_rng(2)
DATA = small(2, samples=200, apart=2.0)
NETWORK = MLP.init([8, 12, 3])
SHORT = FineTune(epochs=6, batch=20, optimizer=Adam(5e-3))
EACH = [SoftThreshold(start=-3.0), Supermask(0.5), NofM(), Powerpropagation(2.0)]


def weights(network: MLP) -> list[np.ndarray]:
    return [layer.weight.dense() for layer in network.layers]


@pytest.mark.parametrize("by", EACH)
def test_what_was_pruned_stays_so_and_nothing_latent_ships(by) -> None:  # type: ignore[no-untyped-def]
    half = Prune(0.5)(NETWORK, DATA)
    trained = Sparsify(by, SHORT)(half, DATA)
    for new, old in zip(trained.layers, half.layers):
        assert isinstance(new.weight, Sparse) and not (new.weight.mask & ~old.weight.mask).any()
    assert all(isinstance(layer.weight, Sparse | Dense) for layer in Sparsify(by, SHORT)(NETWORK, DATA).layers)
    with pytest.raises(ValueError, match="make weights sparse before quantizing"):
        Sparsify(by, SHORT)(Quantize()(NETWORK, DATA), DATA)


@pytest.mark.parametrize("by", [SoftThreshold(start=-20.0), Powerpropagation(3.0)])
def test_it_starts_from_the_network_that_is_given(by) -> None:  # type: ignore[no-untyped-def]
    still = FineTune(epochs=1, optimizer=SGD(1e-12, momentum=0.0))
    for new, old in zip(weights(Sparsify(by, still)(NETWORK, DATA)), weights(NETWORK)):
        np.testing.assert_allclose(new, old, rtol=1e-5, atol=1e-6)


def test_a_supermask_leaves_the_weights_and_chooses_other_ones() -> None:
    trained = Sparsify(Supermask(0.6), SHORT)(NETWORK, DATA)
    for layer, old in zip(trained.layers, weights(NETWORK)):
        mask = layer.weight.mask
        assert (~mask).sum() == round(0.6 * old.size)
        np.testing.assert_array_equal(layer.weight.dense(), np.where(mask, old, 0))
    assert any(
        (layer.weight.mask != keep_largest(np.abs(w), 0.6)).any() for layer, w in zip(trained.layers, weights(NETWORK))
    )


def test_n_of_m_holds_and_hidden_weights_come_back() -> None:
    trained = Sparsify(NofM(2, 4), SHORT)(NETWORK, DATA)
    first = trained.layers[0].weight.mask
    assert (first.reshape(-1, 4).sum(axis=1) == 2).all()
    assert (first != keep_n_of_m(np.abs(weights(NETWORK)[0]), 2, 4)).any()


def test_sr_ste_draws_hidden_weights_to_zero() -> None:
    """Its gradient is that of the loss, straight through, and of `decay / 2 |(1 - M) w|^2`."""
    w, g = RNG.standard_normal((3, 8)), RNG.standard_normal((3, 8))
    transform = NofM(2, 4, decay=0.3)
    hidden = np.where(transform.forward((), w)[0] != 0, 0, w)
    np.testing.assert_allclose(transform.vjp((), transform.forward((), w)[1], g)[1], g + 0.3 * hidden)


def test_a_soft_threshold_takes_the_same_from_every_weight() -> None:
    w, s = RNG.standard_normal((5, 6)), np.array([-0.4])
    expected = np.sign(w) * np.maximum(np.abs(w) - 1 / (1 + np.exp(0.4)), 0)
    np.testing.assert_allclose(SoftThreshold().forward((s,), w)[0], expected, atol=1e-15)


def test_weight_decay_raises_the_soft_threshold() -> None:
    """Its s is decayed towards 0, where half is the threshold: the more decay, the fewer weights are left."""
    left = []
    for decay in (0.0, 0.01, 0.1):
        during = FineTune(epochs=20, batch=20, optimizer=SGD(0.1, weight_decay=decay))
        left.append(sum(np.count_nonzero(w) for w in weights(Sparsify(SoftThreshold(-4.0), during)(NETWORK, DATA))))
    assert left[0] > left[1] > left[2]


def test_powerpropagation_leaves_small_weights_smaller() -> None:
    """The same training with alpha 1, which is none: of the largest weight, the median is less."""
    medians = []
    for alpha in (1.0, 3.0):
        trained = weights(Sparsify(Powerpropagation(alpha), SHORT)(NETWORK, DATA))[0]
        medians.append(np.median(np.abs(trained)) / np.abs(trained).max())
    assert medians[1] < medians[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sparsify("STR"), "sparse by a transform or a penalty, not 'STR'"),
        (lambda: NofM(3, 2), "n of every m and a decay of at least 0, not 3 of 2"),
        (lambda: NofM(decay=-1.0), "not 2 of 4 and -1.0"),
        (lambda: Supermask(1.5), "between 0 and 1, not 1.5"),
        (lambda: Powerpropagation(0.5), "alpha is at least 1 and finite, not 0.5"),
        (lambda: SoftThreshold(mask=np.ones((1, 2), bool)).init(np.ones((2, 2))), "a mask for weights of shape"),
    ],
)
def test_bad_settings(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        make()
