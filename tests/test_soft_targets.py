"""Hinton's distillation loss: gradients, bounds, limits and the scalings that frameworks differ in."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nncomp.distill import batchmean, elementmean, kd, kl_divergence, summed
from nncomp.losses import cross_entropy
from tests.gradients import assert_gradient
from tests.strategies.weights import seeds

temperatures = st.sampled_from([0.5, 1.0, 4.0, 20.0])


def logits(seed: int, batch: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    student, teacher = np.random.default_rng(seed).standard_normal((2, batch, classes)) * 3
    return student, teacher


def softmax_loops(row: list[float], T: float) -> list[float]:
    top = max(row)
    e = [math.exp((v - top) / T) for v in row]
    return [v / sum(e) for v in e]


@given(st.integers(1, 5), st.integers(1, 5), temperatures, seeds)
def test_kl_divergence(batch: int, classes: int, T: float, seed: int) -> None:
    s, t = logits(seed, batch, classes)
    loss, gradient = kl_divergence(s, t, T)
    expected = 0.0
    for srow, trow in zip(s.tolist(), t.tolist()):
        p, q = softmax_loops(srow, T), softmax_loops(trow, T)
        expected += sum(b * math.log(b / a) for a, b in zip(p, q) if b > 0)
    assert loss == pytest.approx(T * T * expected / batch, rel=1e-9, abs=1e-11)
    # T^2 times logarithms, which are differences of logits over T
    assert_gradient(lambda s: kl_divergence(s, t, T)[0], [s], [gradient], seed, terms=T * np.abs(s).max())


@given(st.integers(1, 5), st.integers(1, 5), temperatures, st.sampled_from([0.0, 0.3, 1.0]), seeds)
@example(1, 2, 0.5, 1.0, 6300)
def test_kd_mixes_soft_and_hard(batch: int, classes: int, T: float, alpha: float, seed: int) -> None:
    s, t = logits(seed, batch, classes)
    labels = np.random.default_rng(seed).integers(0, classes, batch)
    loss, gradient = kd(s, t, labels, T, alpha, smoothing=0.1)
    soft, hard = kl_divergence(s, t, T)[0], cross_entropy(s, labels, 0.1)[0]
    assert loss == pytest.approx(alpha * soft + (1 - alpha) * hard)
    terms = max(T, 1) * np.abs(s).max()
    assert_gradient(lambda s: kd(s, t, labels, T, alpha, smoothing=0.1)[0], [s], [gradient], seed, terms)


@given(st.integers(1, 5), st.integers(1, 5), temperatures, seeds, st.floats(-50, 50))
def test_bounds_and_invariance(batch: int, classes: int, T: float, seed: int, shift: float) -> None:
    s, t = logits(seed, batch, classes)
    loss, gradient = kl_divergence(s, t, T)
    assert loss >= -1e-12, "Gibbs' inequality"
    same, zero = kl_divergence(t + shift, t, T)
    assert abs(same) <= 1e-11 * T * T and np.abs(zero).max() <= 1e-12 * T * (1 + abs(shift))
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-13 * T, err_msg="a constant added changes nothing")


def test_high_temperature_is_logit_matching_at_the_proven_rate() -> None:
    """T^2 KL gradient -> (s - t) / (batch classes), centered logits (Hinton et al. 2015, equation 4), error O(1/T)."""
    s, t = (v - v.mean(axis=1, keepdims=True) for v in logits(1, 4, 7))
    limit = (s - t) / s.size
    errors = [np.abs(kl_divergence(s, t, T)[1] - limit).max() for T in (1e2, 1e3, 1e4)]
    assert errors[0] < 0.1 * np.abs(limit).max()
    for before, after in pairwise(errors):
        assert 8 < before / after < 12


def test_scalings_by_name() -> None:
    """The factors between the systems of the conventions table, each by its own arguments."""
    s, t = logits(2, 8, 10)
    paper = kl_divergence(s, t, 4.0)[0]
    assert kl_divergence(s, t, 4.0, square=False)[0] == pytest.approx(paper / 16)
    assert kl_divergence(s, t, 4.0, reduction=elementmean)[0] == pytest.approx(paper / 10)
    assert kl_divergence(s, t, 4.0, reduction=summed)[0] == pytest.approx(paper * 8)
    assert kl_divergence(s, t, 4.0, reduction=batchmean)[0] == paper
    assert (batchmean(8, 10), elementmean(8, 10), summed(8, 10)) == (8, 80, 1)


def test_extreme_logits_stay_finite() -> None:
    s, t = np.array([[1e4, -1e4], [0.0, 1e4]]), np.array([[-1e4, 1e4], [1e4, 0.0]])
    loss, gradient = kl_divergence(s, t, 1.0)
    assert loss == 15000.0 and np.isfinite(gradient).all()
    assert kl_divergence(s.astype(np.float32), t.astype(np.float32), 1.0)[1].dtype == np.float32


def test_the_teacher_is_left_alone() -> None:
    s, t = logits(3, 2, 3)
    t.flags.writeable = s.flags.writeable = False
    kl_divergence(s, t, 2.0)


def test_the_weight_of_the_soft_targets_is_a_share() -> None:
    for alpha in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=f"soft targets is between 0 and 1, not {alpha}"):
            kd(np.zeros((1, 2)), np.zeros((1, 2)), np.array([0]), alpha=alpha)


@pytest.mark.parametrize(
    ("student", "teacher", "T", "message"),
    [
        (np.zeros((0, 3)), np.zeros((0, 3)), 1.0, r"\(0, 3\)"),
        (np.zeros((2, 3)), np.zeros((2, 4)), 1.0, r"\(2, 3\) and teacher \(2, 4\)"),
        (np.zeros((2, 3)), np.zeros((2, 3)), 0.0, "temperature is positive, .* not 0.0"),
        (np.zeros((2, 3)), np.zeros((2, 3)), float("inf"), "temperature .* not inf"),
        (np.zeros((2, 3)), np.zeros((2, 3)), float("nan"), "temperature .* not nan"),
        (np.zeros((2, 3), "f4"), np.zeros((2, 3), "f4"), 1e20, "its square a finite float32: not 1e.20"),
        (np.zeros((2, 3), "f4"), np.zeros((2, 3), "f4"), 1e-44, "its square a finite float32: not 1e-44"),
        (np.ones((2, 3), "f4"), np.eye(2, 3, dtype="f4") * 1e30, 1e-9, "too far apart for float32"),
        (np.eye(2, 3, dtype="f4") * 1e30, np.ones((2, 3), "f4"), 1e-9, "too far apart for float32"),
        (np.zeros((1, 2)), np.array([[np.inf, 0.0]]), 1.0, "teacher of shape .* hold inf"),
        (np.array([[np.nan, 0.0]]), np.zeros((1, 2)), 1.0, "student of shape .* hold nan"),
    ],
)
def test_bad_input_gets_one_clear_error(student: np.ndarray, teacher: np.ndarray, T: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kl_divergence(student, teacher, T)
