"""Drift: SciPy's own tests and intervals as oracles, few false alarms, and data that have moved told from others."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nncomp.data import Data
from nncomp.drift import Reference, calibration_error
from nncomp.measure import predictions
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import FineTune, Prune
from tests.strategies.data import blobs

DATA = Data(blobs(400, 1), blobs(1000, 2))


@pytest.fixture(scope="module")
def networks() -> tuple[MLP, MLP]:
    original = FineTune(epochs=10, batch=50, optimizer=Adam(rate=5e-3))(MLP.init([12, 16, 8, 4]), DATA)
    return Prune(0.6)(original, DATA), original


def test_the_same_as_scipys_tests_and_intervals(networks: tuple[MLP, MLP]) -> None:
    small, original = networks
    x, batch = DATA.validation.x, blobs(300, 7).x * np.float32(0.7)
    drift = Reference.of(small, original, x).check(batch)
    differ = [int((predictions(small, s) != predictions(original, s)).sum()) for s in (x, batch)]
    assert 0 < differ[1] < 300
    interval = stats.binomtest(300 - differ[1], 300).proportion_ci(0.95, "exact")
    assert drift.agreement == 1 - differ[1] / 300
    np.testing.assert_allclose(drift.agreement_interval, interval, rtol=1e-12)
    table = [[differ[1], 300 - differ[1]], [differ[0], 1000 - differ[0]]]
    assert drift.p_agreement == pytest.approx(stats.fisher_exact(table, "greater").pvalue, rel=1e-9)

    sure = []
    for samples in (x, batch):
        e = np.exp(small(samples).astype(np.float64))
        sure.append((e / e.sum(axis=1, keepdims=True)).max(axis=1))
    assert drift.p_confidence == pytest.approx(less_by_ranks(sure[1], sure[0]), rel=1e-6)
    assert drift.confidence == pytest.approx(sure[1].mean(), rel=1e-6)
    half = 1.959963984540054 * sure[1].std(ddof=1) / math.sqrt(300)
    np.testing.assert_allclose(drift.confidence_interval, (sure[1].mean() - half, sure[1].mean() + half), rtol=1e-6)


def less_by_ranks(batch: np.ndarray, reference: np.ndarray) -> float:
    """Mann & Whitney's U, counted pair by pair, ties and the step of 1 / 2 to the normal included."""
    n, m = len(batch), len(reference)
    u = (batch[:, None] > reference).sum() + (batch[:, None] == reference).sum() / 2
    ties = np.unique(np.concatenate([batch, reference]), return_counts=True)[1].astype(float)
    variance = n * m / 12 * (n + m + 1 - (ties**3 - ties).sum() / ((n + m) * (n + m - 1)))
    return float(stats.norm.cdf((u + 0.5 - n * m / 2) / math.sqrt(variance)))


@pytest.mark.parametrize("size", [2, 10])
def test_the_level_holds_for_few_samples(networks: tuple[MLP, MLP], size: int) -> None:
    """Of 2,000 batches, at most 35 at a level of 1 %, which chance exceeds once in a thousand times."""
    small, original = networks
    reference = Reference.of(small, original, DATA.validation.x)
    fresh = np.random.default_rng(0).permutation(DATA.validation.x.repeat(2 * size, axis=0))
    batches = fresh[: 2000 * size].reshape(2000, size, -1)
    assert sum(reference.check(batch, level=0.01).alarm for batch in batches) <= 35


def test_few_false_alarms_and_none_missed(networks: tuple[MLP, MLP]) -> None:
    """A level of 1 %: of 400 batches at most 12, which chance exceeds once in a thousand times."""
    small, original = networks
    reference, rng = Reference.of(small, original, DATA.validation.x), np.random.default_rng(0)
    fresh = blobs(40_000, 3).x
    false = sum(reference.check(fresh[rng.integers(0, len(fresh), 500)], level=0.01).alarm for _ in range(400))
    assert stats.binom.sf(12, 400, 0.01) < 1e-3 and false <= 12
    turned = fresh @ np.linalg.qr(np.eye(12) + 0.1 * rng.standard_normal((12, 12)))[0].astype(np.float32)
    assert all(reference.check(turned[i : i + 500]).alarm for i in range(0, 10_000, 500))


def test_where_nothing_varies(networks: tuple[MLP, MLP]) -> None:
    """A network that says the same of everything is as sure of everything: no alarm of that, and no division by 0."""
    zero = MLP.init([12, 4]).with_layers(lambda layer: layer.with_params([np.zeros_like(p) for p in layer.params]))
    drift = Reference.of(zero, zero, DATA.validation.x).check(blobs(500, 5).x)
    assert (drift.agreement, drift.agreement_interval[1], drift.p_agreement, drift.p_confidence) == (1.0, 1.0, 1.0, 1.0)
    assert not drift.alarm and drift.confidence == 0.25
    opposite = zero.with_layers(lambda layer: layer.with_params([layer.params[0], np.float32([0, 0, 0, 1])]))
    drift = Reference.of(opposite, zero, DATA.validation.x).check(blobs(500, 5).x)
    assert (drift.agreement, drift.agreement_interval[0]) == (0.0, 0.0)


@given(st.integers(1, 30), st.integers(2, 5), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_calibration_error_by_loops(n: int, classes: int, bins: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), n)
    labels = rng.integers(0, classes, n)
    expected = 0.0
    for b in range(bins):
        inside = [i for i in range(n) if b / bins < max(p[i]) <= (b + 1) / bins]
        right = sum(int(np.argmax(p[i])) == labels[i] for i in inside)
        expected += abs(right - sum(max(p[i]) for i in inside)) / n
    assert calibration_error(p, labels, bins) == pytest.approx(expected, abs=1e-12)
    assert calibration_error(np.eye(classes)[labels], labels, bins) == 0


def test_mistakes(networks: tuple[MLP, MLP]) -> None:
    small, original = networks
    reference = Reference.of(small, original, DATA.validation.x)
    for call, message in (
        (lambda: Reference.of(small, MLP.init([12, 3]), DATA.validation.x), "do not take the same samples"),
        (lambda: reference.check(DATA.validation.x[:1]), "at least two samples, not 1"),
        (lambda: reference.check(DATA.validation.x, level=0.0), "between 0 and 1, not 0.0"),
        (lambda: reference.check(np.zeros((5, 3))), r"floats \(batch, 12\)"),
        (lambda: calibration_error(np.zeros((0, 2)), np.zeros(0, int)), "not empty"),
        (lambda: calibration_error(np.array([[1.5, 0.0]]), np.array([0])), "between 0 and 1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
