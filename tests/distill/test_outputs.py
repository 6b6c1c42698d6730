"""Losses of outputs: identities, limits at their proven rates, extremes, and settings that are refused."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.distill import (
    alpha_divergence,
    best_bias,
    correct_prior,
    dist,
    dkd,
    geometric_mean,
    jensen_shannon,
    kl_divergence,
    label_smoothing,
    logit_regression,
    logit_standardization,
    margins,
    nkd,
    reverse_kl,
    soft_cross_entropy,
    total_variation,
)
from nncomp.losses import cross_entropy, log_probabilities
from tests.strategies.weights import seeds

batches, classes = st.integers(1, 6), st.integers(2, 9)
temperatures = st.sampled_from([0.5, 1.0, 4.0, 20.0])


def logits(seed: int, batch: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    student, teacher = np.random.default_rng(seed).standard_normal((2, batch, classes)) * 3
    return student, teacher


def probabilities(z: np.ndarray, T: float) -> np.ndarray:
    e = np.exp((z - z.max(axis=1, keepdims=True)) / T)
    return e / e.sum(axis=1, keepdims=True)


def assert_same(ours: tuple[float, np.ndarray], theirs: tuple[float, np.ndarray], size: float = 1.0) -> None:
    """Both losses and gradients equal but for roundings of terms of that size."""
    rounding = 256 * np.finfo(float).eps * size
    assert ours[0] == pytest.approx(theirs[0], rel=1e-12, abs=rounding)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=0, atol=rounding)


@given(batches, classes, temperatures, seeds)
def test_dkd_with_the_right_weights_is_kd(batch: int, classes: int, T: float, seed: int) -> None:
    """Zhao et al. 2022, equation 6: `KD = TCKD + (1 - p_t^T) NCKD`."""
    student, teacher = logits(seed, batch, classes)
    labels = np.random.default_rng(seed).integers(0, classes, batch)
    beta = 1 - probabilities(teacher, T)[np.arange(batch), labels]
    decoupled = dkd(student, teacher, labels, T, alpha=1.0, beta=beta)
    assert_same(decoupled, kl_divergence(student, teacher, T), T * T * (1 + np.abs(student).max()))


@given(batches, temperatures, seeds)
def test_dkd_of_two_classes_has_nothing_but_the_target(batch: int, T: float, seed: int) -> None:
    student, teacher = logits(seed, batch, 2)
    labels = np.random.default_rng(seed).integers(0, 2, batch)
    loss = dkd(student, teacher, labels, T, alpha=1.0, beta=8.0)
    assert_same(loss, kl_divergence(student, teacher, T), T * T * (1 + np.abs(student).max()))


@given(batches, classes, st.floats(0, 1), seeds)
def test_label_smoothing_is_a_uniform_teacher(batch: int, classes: int, epsilon: float, seed: int) -> None:
    student, _ = logits(seed, batch, classes)
    labels = np.random.default_rng(seed).integers(0, classes, batch)
    loss, gradient = label_smoothing(student, labels, epsilon)
    smoothed, expected = cross_entropy(student, labels, epsilon)
    assert_same((loss + epsilon * math.log(classes), gradient), (smoothed, expected), 1 + np.abs(student).max())


@given(batches, classes, temperatures, seeds)
def test_soft_cross_entropy_is_the_divergence_and_the_teachers_entropy(
    batch: int, classes: int, T: float, seed: int
) -> None:
    student, teacher = logits(seed, batch, classes)
    q = probabilities(teacher, T)
    loss, gradient = soft_cross_entropy(student, teacher, T)
    entropy = -(T**2) * float((q * np.log(q)).sum()) / batch
    assert_same((loss - entropy, gradient), kl_divergence(student, teacher, T), T * T * (1 + np.abs(student).max()))


@given(batches, classes, st.sampled_from([5.0, 20.0, 100.0, 1e3]), seeds)
def test_hintons_gradient_is_logit_matching_within_the_proven_bound(
    batch: int, classes: int, T: float, seed: int
) -> None:
    """`|T (p - q) - (s - t) / K| <= (Rs^2 exp(Rs / T) + Rt^2 exp(Rt / T)) / (2 K T)`, R the ranges of centered logits.

    With f(e) = softmax(e z)_c: f(0) = 1 / K, f'(0) = z_c / K, and f'' = p_c ((z_c - m)^2 - v) with mean m and variance
    v of z under p is at most R^2 p_c, p_c <= exp(e R) / K; Taylor's remainder at e = 1 / T, times T.
    """
    student, teacher = (z - z.mean(axis=1, keepdims=True) for z in logits(seed, batch, classes))
    _, gradient = kl_divergence(student, teacher, T)
    matching = logit_regression(student, teacher)[1] / classes
    ranges = [np.ptp(z, axis=1, keepdims=True) for z in (student, teacher)]
    bound = sum(R**2 * np.exp(R / T) for R in ranges) / (2 * classes * T * batch)
    assert (np.abs(gradient - matching) <= bound + 64 * np.finfo(float).eps * T).all()


LIMITS: dict[str, tuple[Callable[..., tuple[float, np.ndarray]], dict[str, Any], float]] = {
    "kl": (kl_divergence, {}, 1.0),
    "reverse kl": (reverse_kl, {}, 1.0),
    "alpha 1/2": (alpha_divergence, {}, 1.0),
    "alpha -1": (alpha_divergence, dict(alpha=-1.0), 1.0),
    "jensen-shannon": (jensen_shannon, {}, 1 / 4),
    "jensen-shannon, 0.1": (jensen_shannon, dict(beta=0.1), 0.09),
}


@pytest.mark.parametrize("name", LIMITS)
def test_every_divergence_becomes_logit_matching_at_the_rate_of_1_over_T(name: str) -> None:
    """To the second order all of them are one quadratic form, Fisher's information, up to a factor."""
    loss, settings, factor = LIMITS[name]
    student, teacher = (z - z.mean(axis=1, keepdims=True) for z in logits(1, 4, 7))
    value, limit = (factor / 7 * v for v in logit_regression(student, teacher))
    losses, gradients = zip(*(loss(student, teacher, T=T, **settings) for T in (1e2, 1e3, 1e4)))
    for errors in ([abs(v - value) for v in losses], [np.abs(g - limit).max() for g in gradients]):
        assert errors[0] < 0.2 * max(value, 1)
        for before, after in pairwise(errors):
            assert 8 < before / after < 12


def test_dist_at_high_temperature_correlates_the_logits() -> None:
    student, teacher = logits(1, 6, 5)
    by_sample = np.mean([1 - np.corrcoef(s, t)[0, 1] for s, t in zip(student, teacher)])
    errors = [abs(dist(student, teacher, T, gamma=0.0)[0] - by_sample) for T in (1e2, 1e3, 1e4)]
    assert all(8 < before / after < 12 for before, after in pairwise(errors))


@given(batches, classes, temperatures, st.sampled_from([-1.0, 0.0, 0.3, 0.5, 1.0, 1.5]), seeds)
def test_alpha_divergences_by_their_definition(batch: int, classes: int, T: float, alpha: float, seed: int) -> None:
    student, teacher = logits(seed, batch, classes)
    p, q = probabilities(student, T), probabilities(teacher, T)
    if alpha in (0, 1):
        theirs = (p * np.log(p / q) if alpha == 0 else q * np.log(q / p)).sum(axis=1)
    else:
        theirs = ((q**alpha * p ** (1 - alpha)).sum(axis=1) - 1) / (alpha * (alpha - 1))
    loss, _ = alpha_divergence(student, teacher, T, alpha)
    assert loss == pytest.approx(T**2 * theirs.mean(), rel=1e-9, abs=1e-11)
    mirrored, _ = alpha_divergence(teacher, student, T, 1 - alpha)
    assert loss == pytest.approx(mirrored, rel=1e-9, abs=1e-11), "exchanging both exchanges alpha and 1 - alpha"


def test_alpha_divergences_by_other_names() -> None:
    student, teacher = logits(3, 5, 4)
    p, q = probabilities(student, 1.0), probabilities(teacher, 1.0)
    assert alpha_divergence(student, teacher, alpha=0.5)[0] == pytest.approx(
        4 * (1 - np.sqrt(p * q).sum(axis=1)).mean()
    )
    assert alpha_divergence(student, teacher, alpha=2.0)[0] == pytest.approx(
        (((p - q) ** 2 / p).sum(axis=1) / 2).mean()
    )
    assert_same(alpha_divergence(student, teacher, alpha=1.0), kl_divergence(student, teacher), 10)
    assert_same(alpha_divergence(student, teacher, alpha=0.0), reverse_kl(student, teacher), 10)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_alpha_divergences_reach_both_ends_without_cancelling(end: float) -> None:
    """Linear in alpha: what (sum - 1) / (alpha (alpha - 1)) would leave of 1e-9 is off by 1e-7."""
    student, teacher = logits(4, 5, 4)
    exact, dexact = alpha_divergence(student, teacher, alpha=end)
    slope = (alpha_divergence(student, teacher, alpha=end + 1e-4)[0] - exact) / 1e-4
    for step in (1e-6, 1e-9, -1e-9, 1e-12):
        loss, gradient = alpha_divergence(student, teacher, alpha=end + step)
        assert abs(loss - exact - slope * step) <= 1e-3 * abs(slope * step) + 1e-14
        assert np.abs(gradient - dexact).max() <= 100 * abs(step) + 1e-14


def test_jensen_shannon_tends_to_both_divergences() -> None:
    student, teacher = logits(5, 5, 4)
    for other, end in [(kl_divergence, lambda b: b), (reverse_kl, lambda b: 1 - b)]:
        limit = other(student, teacher, 2.0)
        for b in (1e-4, 1e-6):
            loss, gradient = jensen_shannon(student, teacher, 2.0, beta=end(b))
            assert loss / b == pytest.approx(limit[0], rel=1e3 * b)
            np.testing.assert_allclose(gradient / b, limit[1], atol=1e4 * b)
    assert_same(
        jensen_shannon(student, teacher), (jensen_shannon(teacher, student)[0], jensen_shannon(student, teacher)[1])
    )


def test_total_variation_is_the_most_probable_disagreement() -> None:
    """Over all events: the sum of p - q where it is positive."""
    student, teacher = logits(6, 5, 4)
    p, q = probabilities(student, 2.0), probabilities(teacher, 2.0)
    assert total_variation(student, teacher, 2.0)[0] == pytest.approx(np.maximum(p - q, 0).sum() / 5)
    assert total_variation(student, teacher, 2.0, square=True)[0] == pytest.approx(4 * np.maximum(p - q, 0).sum() / 5)


@given(seeds, st.floats(0.1, 10), st.floats(-10, 10))
def test_standardization_is_blind_to_scale_and_shift(seed: int, a: float, b: float) -> None:
    student, teacher = logits(seed, 4, 5)
    loss, gradient = logit_standardization(student, teacher)
    moved, smaller = logit_standardization(a * student + b, teacher)
    assert moved == pytest.approx(loss, rel=1e-9)
    np.testing.assert_allclose(a * smaller, gradient, atol=1e-10)
    same, zero = logit_standardization(a * teacher + b, teacher)
    assert abs(same) < 1e-12 and np.abs(zero).max() < 1e-12 / a


def test_the_deviation_of_the_code_is_another_temperature() -> None:
    """Deviations by K - 1 are larger by r = sqrt(K / (K - 1)): softening at T is softening at T r, but for T^2."""
    student, teacher = logits(7, 4, 5)
    r = math.sqrt(5 / 4)
    code = logit_standardization(student, teacher, 2.0, ddof=1)[0]
    assert code == pytest.approx(logit_standardization(student, teacher, 2.0 * r)[0] / r**2)


def test_T_squared_where_the_code_of_the_authors_has_it() -> None:
    student, teacher = logits(10, 4, 5)
    loss, gradient = dist(student, teacher, 3.0)
    assert_same(dist(student, teacher, 3.0, square=True), (9 * loss, 9 * gradient))
    labels = np.arange(4)
    target, _ = nkd(student, teacher, labels, T=3.0, gamma=0.0)
    plain, _ = nkd(student, teacher, labels, T=3.0, square=False)
    assert nkd(student, teacher, labels, T=3.0)[0] == pytest.approx(target + 9 * (plain - target), rel=1e-13)


def test_nkd_of_one_sample_by_its_definition() -> None:
    student, teacher = logits(11, 1, 5)
    S, T = probabilities(student, 1.0)[0], probabilities(teacher, 1.0)[0]
    N, N_T = (np.delete(probabilities(z, 3.0)[0], 2) for z in (student, teacher))
    second = (N_T / N_T.sum() * np.log(N / N.sum())).sum()
    loss, _ = nkd(student, teacher, np.array([2]), T=3.0, gamma=0.7)
    assert loss == pytest.approx(-T[2] * np.log(S[2]) - 0.7 * 9 * second, rel=1e-12)


def test_nkd_leaves_the_target_alone_once_the_others_agree() -> None:
    student, _ = logits(8, 5, 4)
    labels = np.arange(5) % 4
    teacher = student.copy()
    teacher[np.arange(5), labels] += 1.0  # surer of the target; of the others the same
    _, gradient = nkd(student, teacher, labels, T=2.0, gamma=1.5)
    sure = probabilities(teacher, 1.0)[np.arange(5), labels]
    expected = sure[:, None] * (probabilities(student, 1.0) - np.eye(4)[labels]) / 5
    np.testing.assert_allclose(gradient, expected, atol=1e-15)


EXTREME = np.array([[1e4, -1e4, 0.0], [0.0, 1e4, -1e4]])
OPPOSED = np.array([[-1e4, 1e4, 0.0], [1e4, 0.0, -1e4]])


def test_extreme_logits_by_hand() -> None:
    """Probabilities are exactly 0 and 1, and every sample is wrong about everything."""
    assert np.exp(log_probabilities(OPPOSED)).min() == 0
    assert kl_divergence(EXTREME, OPPOSED)[0] == reverse_kl(EXTREME, OPPOSED)[0] == (2e4 + 1e4) / 2
    assert jensen_shannon(EXTREME, OPPOSED)[0] == pytest.approx(math.log(2), rel=1e-15)
    assert total_variation(EXTREME, OPPOSED)[0] == 1
    assert alpha_divergence(EXTREME, OPPOSED)[0] == 4
    assert logit_regression(EXTREME, OPPOSED)[0] == (8e8 + 2e8) / 4
    labels = np.array([1, 0])  # the target is 2e4 and 1e4 behind the student's best
    assert dkd(EXTREME, OPPOSED, labels, T=1.0, beta=0.0)[0] == (2e4 + 1e4) / 2
    assert nkd(EXTREME, OPPOSED, labels, gamma=0.0)[0] == (2e4 + 1e4) / 2
    for loss in (kl_divergence, reverse_kl, jensen_shannon, total_variation, alpha_divergence):
        _, gradient = loss(EXTREME, OPPOSED)
        assert np.isfinite(gradient).all() and not gradient[:, 2].any()
    for alpha in (1.5, -0.5):
        with pytest.raises(ValueError, match="^alpha_divergence or its gradient is not finite in float64"):
            alpha_divergence(EXTREME, OPPOSED, alpha=alpha)


@given(st.integers(1, 5), st.integers(1, 5), temperatures, seeds)
def test_a_class_the_teacher_rules_out_might_as_well_not_be_there(
    batch: int, classes: int, T: float, seed: int
) -> None:
    """Where q is exactly 0: a class added at -1e4 for both changes neither the loss nor the other gradients."""
    student, teacher = logits(seed, batch, classes)
    more = [np.concatenate([z, np.full((batch, 1), -1e5)], axis=1) for z in (student, teacher)]
    for loss in (kl_divergence, soft_cross_entropy, reverse_kl, jensen_shannon, total_variation, alpha_divergence):
        value, gradient = loss(*more, T=T)
        expected, without = loss(student, teacher, T=T)
        assert value == pytest.approx(expected, rel=1e-14, abs=1e-14 * T * T)
        np.testing.assert_allclose(gradient, np.pad(without, ((0, 0), (0, 1))), atol=1e-13 * T)


@given(st.integers(1, 6), st.integers(2, 6), seeds)
def test_priors_by_bayes(batch: int, classes: int, seed: int) -> None:
    z, _ = logits(seed, batch, classes)
    old, new = np.random.default_rng(seed).uniform(0.1, 1, (2, classes))
    corrected = correct_prior(z, old, new)
    posterior = probabilities(z, 1.0) * new / old
    np.testing.assert_allclose(
        probabilities(corrected, 1.0), posterior / posterior.sum(axis=1, keepdims=True), rtol=1e-12
    )
    np.testing.assert_allclose(correct_prior(corrected, new, old), z, atol=1e-13)
    assert correct_prior(z.astype(np.float32), old, new).dtype == np.float32


@given(st.integers(1, 12), st.integers(2, 5), seeds)
def test_no_bias_is_right_more_often(samples: int, classes: int, seed: int) -> None:
    """Against brute force: a bias between any two at which some sample turns."""
    rng = np.random.default_rng(seed)
    z, labels = rng.integers(-3, 4, (samples, classes)).astype(float), rng.integers(0, classes, samples)
    some = rng.permutation(classes)[: rng.integers(1, classes)]

    def right(bias: float) -> int:
        moved = z.copy()
        moved[:, some] += bias
        return int((moved.argmax(axis=1) == labels).sum())

    best = best_bias(z, labels, some.tolist())
    anywhere = [right(b) for b in np.arange(-7.25, 8, 0.5)]  # turns are whole numbers: no ties
    assert right(best) >= max(anywhere)


def test_no_bias_where_nothing_is_gained() -> None:
    assert best_bias(np.eye(4), np.arange(4), [1, 2]) == 0


def test_hintons_missing_digit() -> None:
    """A student who never met class 1 puts it too low everywhere: one bias brings it back."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    z = rng.standard_normal((300, 3)) + 4 * np.eye(3)[labels] - [0, 5, 0]
    bias = best_bias(z, labels, [1])
    assert 4 < bias < 6
    assert (
        ((z + np.array([0, bias, 0])).argmax(axis=1) == labels).mean()
        > 0.97
        > (z.argmax(axis=1) == labels).mean() + 0.2
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s, t: jensen_shannon(s, t, beta=0.0), "above 0 and below 1, not 0.0"),
        (lambda s, t: jensen_shannon(s, t, beta=1.0), "above 0 and below 1, not 1.0"),
        (lambda s, t: alpha_divergence(s, t, alpha=np.nan), "alpha is finite, not nan"),
        (lambda s, t: dkd(s, t, np.array([0, 1]), beta=np.ones(3)), r"beta finite and one or \(2,\)"),
        (lambda s, t: dkd(s, t, np.array([0, 1]), alpha=np.inf), "alpha is finite"),
        (lambda s, t: dkd(s, t, np.array([0, 1]), beta=np.nan), "beta finite"),
        (lambda s, t: nkd(s, t, np.array([0, 1]), gamma=-1.0), "weight gamma is finite and at least 0, not -1.0"),
        (lambda s, t: nkd(s, t, np.array([0, 1]), T=0.0), "temperature is positive, .* not 0.0"),
        (lambda s, t: logit_standardization(s, t, ddof=2), "ddof is 0 or 1, .* not 2 and"),
        (lambda s, t: logit_standardization(s, t, eps=-1.0), "eps finite and at least 0, not 0 and -1.0"),
        (lambda s, t: logit_standardization(np.zeros_like(s), t), "student in row 0 are all 0: they have no spread"),
        (lambda s, t: logit_standardization(s, t * 0 + 0.1), "logits of the teacher in row 0 are all 0.1"),
        (lambda s, t: dist(s, t * 0 + 0.1, gamma=0.0), "row 0 of the probabilities is constant"),
        (lambda s, t: dist(s, t, beta=-1.0), "weight beta is finite and at least 0, not -1.0"),
        (lambda s, t: dist(s, t, eps=np.inf), "weight eps is finite"),
        (lambda s, t: correct_prior(s[0], s[0], s[0]), r"logits are \(batch, classes\), not \(3,\)"),
        (lambda s, t: correct_prior(s, np.ones(2), np.ones(3)), "old priors are 3 positive, finite numbers"),
        (lambda s, t: correct_prior(s, np.ones(3), np.array([1.0, 1.0, 0.0])), "new priors are 3 positive"),
        (lambda s, t: correct_prior(s, np.ones(3), np.array([1.0, 1.0, np.inf])), "new priors are 3 positive"),
        (lambda s, t: best_bias(s, np.array([0, 1]), []), "for some of 3 classes, not for none, all or others"),
        (lambda s, t: best_bias(s, np.array([0, 1]), [0, 1, 2]), "for some of 3 classes"),
        (lambda s, t: best_bias(s, np.array([0, 1]), [3]), "for some of 3 classes"),
        (lambda s, t: best_bias(s, np.array([0, 3]), [1]), "labels from 0 to 3 in 3 classes"),
        (lambda s, t: label_smoothing(s, np.array([0, 1]), 1.5), "between 0 and 1, not 1.5"),
    ],
)  # fmt: skip
def test_settings_that_are_refused(call: Callable[[np.ndarray, np.ndarray], object], message: str) -> None:
    student, teacher = logits(9, 2, 3)
    with pytest.raises(ValueError, match=message):
        call(student, teacher)


@given(classes, st.floats(-10, 10))
def test_what_is_constant_but_for_the_rounding_of_its_mean_has_no_spread(classes: int, value: float) -> None:
    student, teacher = np.full((2, classes), value), np.arange(2.0 * classes).reshape(2, classes)
    with pytest.raises(ValueError, match="they have no spread"):
        logit_standardization(student, teacher)
    with pytest.raises(ValueError, match="is constant and has no correlation"):
        dist(student, teacher, gamma=0.0)


def test_an_eps_gives_what_has_no_spread_a_loss() -> None:
    student, teacher = np.zeros((2, 3)), np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 5.0]])
    loss, gradient = logit_standardization(student, teacher, eps=1e-7)
    assert loss > 0 and np.isfinite(gradient).all()
    loss, gradient = dist(student, teacher, eps=1e-8)
    assert loss == 2 and np.isfinite(gradient).all() and gradient.any()


def test_scales_whose_squares_leave_the_dtype_change_no_standardized_logits() -> None:
    student, teacher = logits(3, 5, 6)
    loss, gradient = logit_standardization(student, teacher)
    for scale, dtype, rtol in ((1e19, np.float32, 1e-5), (1e13, np.float32, 1e-5), (1e-25, np.float32, 1e-5)):
        found, dstudent = logit_standardization((student * scale).astype(dtype), teacher.astype(dtype))
        assert found == pytest.approx(loss, rel=rtol)
        np.testing.assert_allclose(dstudent * scale, gradient, rtol=0, atol=10 * rtol * np.abs(gradient).max())


@given(st.sampled_from([1e2, 1e3, 1e4]), seeds)
def test_divergences_stay_above_0_at_high_temperatures_in_single_precision(T: float, seed: int) -> None:
    """r = log(q / p) is of size 3 / T, log p of size 2: relative to r^2 its rounding is up to 8 eps T."""
    student, teacher = logits(seed, 4, 7)
    for loss in (kl_divergence, reverse_kl):
        exact = loss(student, teacher, T)[0]
        found = loss(student.astype(np.float32), teacher.astype(np.float32), T)[0]
        assert found >= 0 and found == pytest.approx(exact, rel=8 * float(np.finfo(np.float32).eps) * T)


def test_the_best_bias_may_be_none_where_the_first_of_equal_logits_is_right() -> None:
    z = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 0.0]])
    assert (z.argmax(axis=1) == [1, 0]).all()
    assert best_bias(z, np.array([1, 0]), classes=[1]) == 0


def test_means_stay_between_what_they_are_of_up_to_the_end_of_the_dtype() -> None:
    largest = np.full((3, 1, 2), np.finfo(np.float32).max)
    np.testing.assert_array_equal(geometric_mean(largest), largest[0])
    np.testing.assert_array_equal(margins(np.full((10000, 1), -10, np.float16)), [np.float16(-10)])
