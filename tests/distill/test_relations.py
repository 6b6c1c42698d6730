"""Losses of relations: against loops over pairs and triples, figures known by hand, and what leaves no relation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.distill import (
    contrastive,
    correlation_congruence,
    elementmean,
    linear_kernel,
    pkt,
    rkd_angle,
    rkd_distance,
    similarity_preserving,
)
from tests.strategies.weights import seeds

RELATIONS = [rkd_distance, rkd_angle, similarity_preserving, correlation_congruence, pkt]
batches = st.integers(2, 6)


def features(seed: int, batch: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((batch, 4)), rng.standard_normal((batch, 3))


def huber(x: float) -> float:
    return x * x / 2 if abs(x) <= 1 else abs(x) - 0.5


def pairs(X: np.ndarray) -> list[tuple[int, int]]:
    return [(i, j) for i in range(len(X)) for j in range(len(X)) if i != j]


@given(batches, seeds)
def test_distances_by_loops(batch: int, seed: int) -> None:
    psi = []
    for X in features(seed, batch):
        distances = [math.dist(X[i], X[j]) for i, j in pairs(X)]
        mu = sum(distances) / len(distances)
        psi.append([d / mu for d in distances])
    expected = sum(huber(t - s) for s, t in zip(*psi))
    assert rkd_distance(*features(seed, batch))[0] == pytest.approx(expected, rel=1e-11, abs=1e-14)
    mean = rkd_distance(*features(seed, batch), reduction=elementmean)[0]
    assert mean == pytest.approx(expected / batch**2, rel=1e-11, abs=1e-14)


@given(batches, seeds)
def test_angles_by_loops(batch: int, seed: int) -> None:
    def cosine(X: np.ndarray, i: int, j: int, k: int) -> float:
        a, b = X[i] - X[j], X[k] - X[j]
        return float(a @ b) / math.hypot(*a) / math.hypot(*b)

    s, t = features(seed, batch)
    triples = [(i, j, k) for i, j in pairs(s) for k in range(batch) if k not in (i, j)]
    expected = sum(huber(cosine(t, *triple) - cosine(s, *triple)) for triple in triples)
    assert rkd_angle(s, t)[0] == pytest.approx(expected, rel=1e-11, abs=1e-13)
    assert rkd_angle(s, t, reduction=elementmean)[0] == pytest.approx(expected / batch**3, rel=1e-11, abs=1e-14)


@given(batches, st.booleans(), seeds)
def test_neighbours_by_loops(batch: int, diagonal: bool, seed: int) -> None:
    def neighbours(X: np.ndarray) -> dict[tuple[int, int], float]:
        def k(i: int, j: int) -> float:
            return (float(X[i] @ X[j]) / math.hypot(*X[i]) / math.hypot(*X[j]) + 1) / 2

        counted = [*pairs(X), *((i, i) for i in range(len(X)) if diagonal)]
        return {(i, j): k(i, j) / sum(k(i, l) for m, l in counted if m == i) for i, j in counted}

    s, t = features(seed, batch)
    p, q = neighbours(t), neighbours(s)
    expected = sum(p[pair] * math.log(p[pair] / q[pair]) for pair in p)
    assert pkt(s, t, diagonal=diagonal)[0] == pytest.approx(expected, rel=1e-9, abs=1e-14)


@given(batches, seeds)
def test_similarities_by_loops(batch: int, seed: int) -> None:
    def rows(X: np.ndarray) -> list[list[float]]:
        products = [[float(a @ b) for b in X] for a in X]
        return [[v / math.hypot(*row) for v in row] for row in products]

    def cosines(X: np.ndarray) -> list[list[float]]:
        return [[float(a @ b) / math.hypot(*a) / math.hypot(*b) for b in X] for a in X]

    s, t = features(seed, batch)
    for loss, matrix in [
        (similarity_preserving, rows),
        (lambda s, t: correlation_congruence(s, t, linear_kernel), cosines),
    ]:
        expected = sum((a - b) ** 2 for x, y in zip(matrix(s), matrix(t)) for a, b in zip(x, y)) / batch**2
        assert loss(s, t)[0] == pytest.approx(expected, rel=1e-10, abs=1e-15)


@pytest.mark.parametrize("loss", RELATIONS)
@given(seed=seeds, size=st.floats(0.1, 10))
def test_a_student_who_turned_and_grew_knows_all_relations(loss, seed: int, size: float) -> None:  # type: ignore[no-untyped-def]
    """In more dimensions than the teacher's: zero, and nothing to learn."""
    rng = np.random.default_rng(seed)
    _, teacher = features(seed)
    Q, _ = np.linalg.qr(rng.standard_normal((6, 3)))
    student = size * teacher @ Q.T
    value, gradient = loss(student, teacher)
    assert abs(value) < 1e-13 and np.abs(gradient).max() < 1e-12 / size


def test_a_triangle_by_hand() -> None:
    """Sides 3, 4, 5 against three points in a row: distances over their means 4 and 4/3, cosines 0, 4/5, 3/5."""
    student, teacher = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]), np.array([[0.0], [1.0], [-1.0]])
    d = [3 / 4 - 3 / 4, 4 / 4 - 3 / 4, 5 / 4 - 6 / 4]
    assert rkd_distance(student, teacher)[0] == pytest.approx(2 * sum(x * x / 2 for x in d))
    cosines = [huber(0 + 1), huber(3 / 5 - 1), huber(4 / 5 - 1)]
    assert rkd_angle(student, teacher)[0] == pytest.approx(2 * sum(cosines))


def test_a_difference_beyond_one_counts_by_its_size() -> None:
    """An angle of 0 for one of 180 degrees: Huber's loss of 2 is 3/2, its derivative 1."""
    student, teacher = np.array([[0.0], [1.0], [3.0]]), np.array([[0.0], [-1.0], [3.0]])
    assert rkd_angle(student, teacher)[0] == pytest.approx(2 * (1.5 + 1.5))


@pytest.mark.parametrize("loss", RELATIONS)
def test_two_samples_that_are_one_point(loss) -> None:  # type: ignore[no-untyped-def]
    student, teacher = features(0)
    student[1] = student[0]
    teacher[3] = teacher[2]
    value, gradient = loss(student, teacher)
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_where_no_relation_is_left() -> None:
    student, teacher = features(0)
    with pytest.raises(ValueError, match="all features of the student are one point"):
        rkd_distance(student * 0 + 3, teacher)
    with pytest.raises(ValueError, match="all features of the teacher are one point"):
        rkd_distance(student, teacher * 0)
    opposite, same = np.array([[1.0], [1.0], [-1.0]]), np.array([[1.0], [1.0], [1.0]])
    for s, t in [(opposite, same), (same, opposite)]:
        with pytest.raises(ValueError, match="^pkt or its gradient is not finite in float64"):
            pkt(s, t)
    loss, gradient = pkt(same, opposite, diagonal=True)  # as the teacher is the one who rules neighbours out
    assert math.isfinite(loss) and np.isfinite(gradient).all()


ONE = np.eye(3), np.zeros(3)


@given(st.integers(2, 6), st.floats(0.05, 5), seeds)
def test_contrast_is_bounded_by_what_could_be_told(batch: int, tau: float, seed: int) -> None:
    """Cosines are within [-1, 1]: the loss is within 2 / tau of log batch, which it is where all look alike."""
    rng = np.random.default_rng(seed)
    student, teacher = rng.standard_normal((2, batch, 3))
    loss, _, _ = contrastive(student, teacher, *ONE, *ONE, tau)
    assert 0 <= loss <= math.log(batch) + 2 / tau
    alike, _, _ = contrastive(student, teacher, np.zeros((3, 3)), np.ones(3), *ONE, tau)
    assert alike >= math.log(batch) - 1e-12, "one point for every sample tells none from another"
    blind, gradient, _ = contrastive(student, teacher, *ONE, np.zeros((3, 3)), np.ones(3), tau)
    assert blind == pytest.approx(math.log(batch)) and np.abs(gradient).max() < 1e-12 / tau


def test_contrast_grows_sure_as_tau_falls() -> None:
    _, teacher = features(1)
    losses = [contrastive(teacher, teacher, *ONE, *ONE, tau)[0] for tau in (1.0, 0.1, 0.01, 1e-3)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 1e-12


def test_contrast_refuses() -> None:
    s, t = features(2)
    W_S, W_T, b = np.ones((3, 4)), np.ones((3, 3)), np.ones(3)
    for tau in (0.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="tau is positive and finite"):
            contrastive(s, t, W_S, b, W_T, b, tau)
    with pytest.raises(ValueError, match=r"W_T is float64 of shape \(3, 3\), not empty, not float64 of shape \(3, 4\)"):
        contrastive(s, t, W_S, b, W_S, b)
    with pytest.raises(ValueError, match=r"b_T is float64 of shape \(3,\), not empty, not float64 of shape \(2,\)"):
        contrastive(s, t, W_S, b, W_T, np.ones(2))
