"""Losses of features: what they see and what they do not, optima known in closed form, settings that are refused."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from nncomp.activations import Identity, ReLU
from nncomp.distill import (
    activation_boundaries,
    attention_transfer,
    elementmean,
    factor_transfer,
    factors,
    gaussian_kernel,
    hint,
    linear_kernel,
    margin_relu,
    margins,
    neuron_selectivity,
    paraphrase,
    pkd,
    polynomial_kernel,
    summed,
    taylor_kernel,
    vid,
)
from nncomp.distill.units import unit, unit_vjp
from tests.gradients import assert_gradient
from tests.strategies.weights import seeds

batches, widths = st.integers(1, 6), st.integers(1, 5)


def features(seed: int, batch: int = 6, student: int = 4, teacher: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((batch, student)) * 2, rng.standard_normal((batch, teacher)) * 2


def connector(seed: int, student: int = 4, teacher: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed + 1)
    return rng.standard_normal((teacher, student)), rng.standard_normal(teacher)


@given(st.integers(-1000, 1000), seeds)
def test_unit_vectors_of_any_length(power: int, seed: int) -> None:
    X = np.random.default_rng(seed).standard_normal((4, 3))
    X[0] = 0
    U, length = unit(np.ldexp(X, power))
    np.testing.assert_allclose(np.linalg.norm(U, axis=1), [0, 1, 1, 1], rtol=4e-16)
    np.testing.assert_allclose(length[:, 0], np.ldexp(np.linalg.norm(X, axis=1), power), rtol=4e-16)
    dU = np.random.default_rng(seed + 1).standard_normal(X.shape)
    U, length = unit(X[1:])
    assert_gradient(lambda x: float((unit(x)[0] * dU[1:]).sum()), [X[1:]], [unit_vjp(U, length, dU[1:])], seed)


@pytest.mark.parametrize(
    "kernel",
    [linear_kernel, polynomial_kernel, partial(polynomial_kernel, d=3, c=0.5), partial(polynomial_kernel, d=1),
     gaussian_kernel, partial(gaussian_kernel, sigma=0.7), taylor_kernel, partial(taylor_kernel, gamma=1.5, P=5)],
)  # fmt: skip
@given(seeds)
def test_kernels(kernel: Callable, seed: int) -> None:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    X, Y, dK = rng.standard_normal((2, 4, 3)), rng.standard_normal((2, 5, 3)), rng.standard_normal((2, 4, 5))
    K, vjp = kernel(X, Y)
    assert_gradient(lambda x: float((kernel(x, Y)[0] * dK).sum()), [X], [vjp(dK)], seed, terms=float(np.abs(K).sum()))
    np.testing.assert_allclose(kernel(Y, X)[0], K.swapaxes(1, 2), rtol=1e-12, err_msg="both ways alike")


def test_the_series_becomes_the_gaussian_of_unit_vectors() -> None:
    """Its terms are those of exp(2 gamma x.y): the rest after P is below 2 (2 gamma)^(P + 1) / (P + 1)!."""
    U, _ = unit(features(0)[0])
    exact = gaussian_kernel(U, U, sigma=1 / np.sqrt(2 * 0.4))[0]
    for P, rest in [(1, 0.8**2 / 2), (2, 0.8**3 / 6), (4, 0.8**5 / 120), (12, 0.8**13 / 6e9)]:
        assert np.abs(taylor_kernel(U, U, gamma=0.4, P=P)[0] - exact).max() <= 2 * rest + 1e-15


def test_a_regressor_by_least_squares_has_no_gradient() -> None:
    student, teacher = features(1, batch=20)
    design = np.concatenate([student, np.ones((20, 1))], axis=1)
    best = np.linalg.lstsq(design, teacher, rcond=None)[0]
    loss, dstudent, (dW, db) = hint(student, teacher, best[:-1].T, best[-1])
    assert loss == pytest.approx(((design @ best - teacher) ** 2).sum() / 40)
    assert np.abs(dW).max() < 1e-13 and np.abs(db).max() < 1e-13 < np.abs(dstudent).max()


def test_a_hint_compares_what_both_activations_give() -> None:
    """With the teacher's ReLU a regressor below 0 is as good as one at 0, and learns nothing there."""
    student, W, b = np.array([[1.0, 2.0]]), np.array([[-1.0, -1.0], [1.0, 0.0]]), np.zeros(2)
    loss, dstudent, (dW, db) = hint(student, np.array([[0.0, 3.0]]), W, b, ReLU())
    assert loss == 2 and db.tolist() == [0, -2] and not dW[0].any() and dstudent.tolist() == [[-2, 0]]


@given(st.integers(2, 5), seeds)
def test_attention_adds_up_channels_of_either_sign(channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    student, teacher = rng.standard_normal((3, channels, 6)), rng.standard_normal((3, 4, 6))
    loss, gradient = attention_transfer(student, teacher)
    signs, order = rng.choice([-1, 1], student.shape), rng.permutation(channels)
    moved, turned = attention_transfer((signs * student)[:, order], teacher)
    assert moved == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(turned, (signs * gradient)[:, order], atol=1e-13)
    energy = np.sqrt((student**2).sum(axis=1))  # with p = 2 a map knows nothing but this
    assert attention_transfer(energy, np.sqrt((teacher**2).sum(axis=1)))[0] == pytest.approx(loss, rel=1e-12)


def test_the_paper_and_its_code_are_two_losses() -> None:
    student, teacher = features(2, batch=1, student=5, teacher=5)
    (paper, dpaper), (code, dcode) = (
        attention_transfer(student, teacher),
        attention_transfer(student, teacher, squared=True, reduction=elementmean),
    )
    assert code == pytest.approx(paper**2 / 5), "the mean over positions of the square"
    np.testing.assert_allclose(
        dcode, 2 * paper * dpaper / 5, err_msg="which fades as the student gets near", atol=1e-15
    )


@given(batches, widths, st.floats(0.1, 2), seeds)
def test_boundaries_count_at_least_what_is_on_the_wrong_side(batch: int, width: int, margin: float, seed: int) -> None:
    student, teacher = features(seed, batch, 4, width)
    W, b = connector(seed, 4, width)
    r = student @ W.T + b
    loss, dstudent, _ = activation_boundaries(student, teacher, W, b, margin, reduction=summed)
    assert loss >= margin**2 * ((r > 0) != (teacher > 0)).sum() - 1e-12
    far = np.where(teacher > 0, margin, -margin) * 1.0000001
    identity = np.eye(width), np.zeros(width)
    loss, dstudent, _ = activation_boundaries(far, teacher, *identity, margin)
    assert loss == 0 and not dstudent.any(), "beyond the margin on the right side, however far"


@given(seeds)
def test_partial_l2_leaves_alone_what_is_negative_enough(seed: int) -> None:
    _, teacher = features(seed, 8, 4, 3)
    identity, m = (np.eye(3), np.zeros(3)), margins(teacher)
    target = np.maximum(teacher, m)
    below = np.where(target <= 0, target - 5, target)
    loss, dstudent, _ = margin_relu(below, teacher, *identity, m)
    assert loss == 0 and not dstudent.any()
    away = np.where(target <= 0, target + 1, target - 1)  # what is not below is matched, from either side
    loss, dstudent, _ = margin_relu(away, teacher, *identity, m)
    assert loss == pytest.approx(3)
    np.testing.assert_allclose(dstudent, 2 * np.where(target <= 0, 1, -1) / 8, atol=1e-15)


def test_margins_are_the_means_of_what_is_negative() -> None:
    teacher = np.random.default_rng(3).standard_normal((200_000, 1))
    assert margins(teacher)[0] == pytest.approx(-np.sqrt(2 / np.pi), abs=5 * 0.603 / np.sqrt(100_000))
    assert margins(np.ones((3, 2), np.float32)).tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"not empty, not \(0, 2\)"):
        margins(np.zeros((0, 2)))
    with pytest.raises(ValueError, match="teacher of shape .* hold nan"):
        margins(np.array([[np.nan]]))


@pytest.mark.parametrize("kernel", [linear_kernel, polynomial_kernel, gaussian_kernel])
@given(seeds)
def test_the_selectivity_of_neurons_is_a_distribution(kernel: Callable, seed: int) -> None:  # type: ignore[type-arg]
    """Neither the order of the neurons nor how often each is there matters, and no regressor is needed."""
    student, teacher = features(seed)
    loss, gradient = neuron_selectivity(student, teacher, kernel)
    twice, halved = neuron_selectivity(np.concatenate([student, student], axis=1), teacher[:, ::-1], kernel)
    assert twice == pytest.approx(loss, rel=1e-10)
    np.testing.assert_allclose(halved, np.concatenate([gradient, gradient], axis=1) / 2, atol=1e-12)


def test_over_positions_selectivity_is_the_mean_of_the_samples() -> None:
    rng = np.random.default_rng(8)
    student, teacher = rng.standard_normal((3, 4, 6)), rng.standard_normal((3, 2, 6))
    loss, gradient = neuron_selectivity(student, teacher)
    losses, gradients = zip(*(neuron_selectivity(s.T, t.T) for s, t in zip(student, teacher)))
    assert loss == pytest.approx(np.mean(losses))
    np.testing.assert_allclose(gradient, np.array([g.T for g in gradients]) / 3, atol=1e-15)


def test_the_polynomial_kernel_compares_gram_matrices() -> None:
    """Huang & Wang 2017: `MMD^2 = || F FT / N - F' F'T / M ||^2` of unit patterns."""
    student, teacher = features(4)
    (Y, _), (X, _) = unit(student.T), unit(teacher.T)
    expected = np.square(Y.T @ Y / len(Y) - X.T @ X / len(X)).sum()
    assert neuron_selectivity(student, teacher)[0] == pytest.approx(expected)


def test_vid_is_the_likelihood_of_a_gaussian() -> None:
    student, teacher = features(5)
    W, b = connector(5)
    alpha = np.array([-1.0, 0.5, 2.0])
    sigma = np.sqrt(np.log1p(np.exp(alpha)) + 1e-3)
    loss, _, _ = vid(student, teacher, W, b, alpha, eps=1e-3)
    likelihood = norm.logpdf(teacher, student @ W.T + b, sigma).sum() / 6
    assert loss == pytest.approx(-likelihood - 3 * np.log(2 * np.pi) / 2, rel=1e-12)
    assert vid(student, teacher, W, b, alpha, eps=1e-3, reduction=elementmean)[0] == pytest.approx(loss / 3)


def test_the_variance_of_vid_is_best_where_it_is_the_mean_square() -> None:
    student, teacher = features(6)
    W, b = connector(6)
    square = np.square(student @ W.T + b - teacher).mean(axis=0)
    alpha = np.log(np.expm1(square))
    loss, _, (_, _, dalpha) = vid(student, teacher, W, b, alpha, eps=0.0)
    assert np.abs(dalpha).max() < 1e-14 and loss == pytest.approx((np.log(square) + 1).sum() / 2)


def test_a_linear_paraphraser_is_best_as_principal_components() -> None:
    """Eckart & Young 1936: what is lost are the smallest singular values, and no gradient is left."""
    x = features(7, batch=9, teacher=5)[1]
    _, S, VT = np.linalg.svd(x, full_matrices=False)
    params = VT[:2], np.zeros(2), VT[:2].T, np.zeros(5)
    loss, _, (dW, _, dW_out, _) = paraphrase(x, *params, activation=Identity())
    assert loss == pytest.approx((S[2:] ** 2).sum() / 9)
    assert np.abs(dW).max() < 1e-12 and np.abs(dW_out).max() < 1e-12


@given(seeds)
def test_factors_are_compared_by_their_directions(seed: int) -> None:
    student, x = features(seed)
    F_T = factors(x, *connector(seed, 3, 2))
    W, b = connector(seed, 4, 2)
    loss, gradient, _ = factor_transfer(student, F_T, W, b)
    scaled, same, _ = factor_transfer(student, 4.0 * F_T, 0.5 * W, 0.5 * b)
    assert scaled == pytest.approx(loss, rel=1e-12) and 0 <= loss <= 2 * np.sqrt(2)
    np.testing.assert_allclose(same, gradient, atol=1e-12)
    assert factor_transfer(x, F_T, *connector(seed, 3, 2))[0] <= 1e-15, "the paraphraser translates for the teacher"


@given(seeds)
def test_patience_is_the_cosine(seed: int) -> None:
    student, teacher = features(seed, 5, 3, 3)
    cosine = (student * teacher).sum(axis=1) / np.linalg.norm(student, axis=1) / np.linalg.norm(teacher, axis=1)
    assert pkd(student, teacher)[0] == pytest.approx((2 - 2 * cosine).mean(), rel=1e-10)
    assert pkd(teacher, -2 * teacher)[0] == pytest.approx(4)


S, T_, W, B = np.ones((2, 4)), np.ones((2, 3)), np.ones((3, 4)), np.ones(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: attention_transfer(S, S, p=0.5), "power p is finite and at least 1, not 0.5"),
        (lambda: attention_transfer(S, T_), r"\(2, 4\) and teacher \(2, 3\) are both"),
        (lambda: attention_transfer(S, S[:, None]), r"\(2, 4\) and teacher \(2, 1, 4\) are both"),
        (lambda: attention_transfer(np.ones((2, 0, 4)), S[:, None]), r"\(2, 0, 4\) .* not empty"),
        (lambda: neuron_selectivity(S[:, None], T_[:, None]), r"\(2, 1, 4\) and teacher \(2, 1, 3\) are both"),
        (lambda: neuron_selectivity(S, S[:, None]), r"\(2, 4\) and teacher \(2, 1, 4\) are both"),
        (lambda: neuron_selectivity(S, T_, partial(gaussian_kernel, sigma=0.0)), "sigma is positive and finite, not 0"),
        (lambda: neuron_selectivity(S, T_, partial(polynomial_kernel, d=0)), "at least 1, not 0"),
        (lambda: neuron_selectivity(S, T_, partial(taylor_kernel, P=0)), "order P .* at least 1, not 0"),
        (lambda: neuron_selectivity(S, T_, partial(taylor_kernel, gamma=-1.0)), "gamma is positive and finite, not -1"),
        (lambda: activation_boundaries(S, T_, W, B, margin=0.0), "margin is positive and finite, not 0"),
        (lambda: margin_relu(S, T_, W, B, m=np.ones(3)), "margins are at most 0, not 1"),
        (
            lambda: margin_relu(S, T_, W, B, m=-np.ones(4)),
            r"m is float64 of shape \(3,\), not empty, not float64 of shape \(4,\)",
        ),
        (lambda: vid(S, T_, W, B, np.ones(3), eps=-1.0), "weight eps is finite and at least 0, not -1"),
        (lambda: pkd(S, T_), "of one batch and one width"),
        (lambda: hint(S, T_, W.T, B), r"W is float64 of shape \(3, 4\), not empty, not float64 of shape \(4, 3\)"),
        (
            lambda: factors(S, W, np.ones(2)),
            r"W is float64 of shape \(2, 4\), not empty, not float64 of shape \(3, 4\)",
        ),
        (lambda: factors(S, W[:0], B[:0]), r"W is float64 of shape \(0, 4\), not empty, not float64 of shape \(0, 4\)"),
        (
            lambda: factors(S, W, np.float64(1)),
            r"W is float64 of shape \(1, 4\), not empty, not float64 of shape \(3, 4\)",
        ),
        (
            lambda: paraphrase(S, W, B, W, np.ones(4)),
            r"W_out is float64 of shape \(4, 3\), not empty, not float64 of shape \(3, 4\)",
        ),
    ],
)
def test_settings_that_are_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
