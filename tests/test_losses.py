"""Losses on labels: gradients against central differences, values against textbook loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.losses import by_targets, cross_entropy, negative_log_likelihood, squared_error
from tests.gradients import assert_gradient
from tests.strategies.weights import seeds


def cross_entropy_loops(logits, labels, smoothing, weights):  # type: ignore[no-untyped-def]
    """One sample and one class at a time, in Python floats."""
    total, norm = 0.0, 0.0
    for row, y in zip(logits.tolist(), labels.tolist()):
        top = max(row)
        log_sum = top + math.log(sum(math.exp(v - top) for v in row))
        for c, v in enumerate(row):
            target = smoothing / len(row) + (1 - smoothing if c == y else 0)
            total += target * weights[c] * (log_sum - v)
        norm += weights[y]
    return total / norm


@given(st.integers(1, 6), st.integers(1, 5), st.sampled_from([0.0, 0.1, 1.0]), st.booleans(), seeds)
def test_cross_entropy(batch: int, classes: int, smoothing: float, weighted: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((batch, classes)) * 3
    labels = rng.integers(0, classes, batch)
    weights = rng.random(classes) + 0.1 if weighted else None
    loss, gradient = cross_entropy(logits, labels, smoothing, weights)
    expected = cross_entropy_loops(logits, labels, smoothing, [1.0] * classes if weights is None else weights.tolist())
    assert loss == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert_gradient(lambda z: cross_entropy(z, labels, smoothing, weights)[0], [logits], [gradient], seed)


@given(st.integers(1, 6), st.integers(1, 5), st.booleans(), seeds)
def test_negative_log_likelihood(batch: int, classes: int, weighted: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    log_p, labels = rng.standard_normal((batch, classes)), rng.integers(0, classes, batch)
    weights = rng.random(classes) + 0.1 if weighted else None
    w = np.ones(classes) if weights is None else weights
    loss, gradient = negative_log_likelihood(log_p, labels, weights)
    expected = sum(-w[y] * row[y] for row, y in zip(log_p, labels)) / sum(w[y] for y in labels)
    assert loss == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert_gradient(lambda z: negative_log_likelihood(z, labels, weights)[0], [log_p], [gradient], seed)


@given(st.integers(1, 6), st.integers(1, 5), seeds)
def test_squared_error(batch: int, outputs: int, seed: int) -> None:
    a, b = np.random.default_rng(seed).standard_normal((2, batch, outputs))
    loss, gradient = squared_error(a, b)
    assert loss == pytest.approx(sum((x - y) ** 2 for x, y in zip(a.flat, b.flat)) / a.size, rel=1e-12)
    assert_gradient(lambda z: squared_error(z, b)[0], [a], [gradient], seed)


def test_known_values() -> None:
    loss, gradient = cross_entropy(np.zeros((3, 10)), np.array([0, 4, 9]))
    assert loss == pytest.approx(math.log(10), rel=1e-15)
    assert gradient[0].tolist() == pytest.approx([(0.1 - 1) / 3] + [0.1 / 3] * 9)
    huge, slope = cross_entropy(np.array([[1e4, -1e4]]), np.array([1]))
    assert huge == 2e4 and slope.tolist() == [[1.0, -1.0]]
    assert cross_entropy(np.zeros((2, 1)), np.array([0, 0]))[0] == 0, "one class is certain"


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), r"\(0, 3\)"),
        (np.zeros((2, 3)), np.zeros(3, int), r"\(2, 3\) and \(3,\)"),
        (np.zeros((2, 3)), np.zeros(1, int), r"\(2, 3\) and \(1,\)"),
        (np.zeros(3), np.zeros(3, int), r"\(3,\) and \(3,\)"),
        (np.zeros((2, 3, 4)), np.zeros(2, int), r"\(2, 3, 4\) and \(2,\)"),
        (np.zeros((2, 3)), np.zeros(2), "integers, not float64"),
        (np.zeros((2, 3)), np.array([0, 3]), "from 0 to 3 in 3 classes"),
        (np.zeros((2, 3)), np.array([7, 1]), "from 1 to 7 in 3 classes"),
        (np.zeros((2, 3)), np.array([-1, 0]), "from -1"),
        (np.array([[0.0, np.nan]]), np.zeros(1, int), r"hold nan at \(0, 1\)"),
        (np.array([[np.inf, np.nan]]), np.zeros(1, int), r"hold inf at \(0, 0\)"),
        (np.array([[3e38, -3e38]], "f4"), np.zeros(1, int), "from -3e.38 to 3e.38 are too far apart for float32"),
    ],
)
def test_bad_input_gets_one_clear_error(logits: np.ndarray, labels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cross_entropy(logits, labels)


def test_the_loss_is_chosen_by_the_targets() -> None:
    outputs, labels, values = np.array([[0.5, 2.0], [1.0, -1.0]]), np.array([1, 0]), np.array([[1.0, 2.0], [0.0, 3.0]])
    for smoothing in (0.0, 0.1):
        loss, gradient = by_targets(outputs, labels, smoothing)
        expected, dlogits = cross_entropy(outputs, labels, smoothing)
        assert loss == expected and gradient.tobytes() == dlogits.tobytes()
    assert by_targets(outputs, values)[0] == squared_error(outputs, values)[0] == (0.25 + 0 + 1 + 16) / 4
    with pytest.raises(ValueError, match="label smoothing of 0.1, and targets that are values"):
        by_targets(outputs, values, 0.1)


def test_bad_settings() -> None:
    logits, labels = np.zeros((2, 3)), np.array([0, 1])
    for smoothing in (1.5, -0.5):
        with pytest.raises(ValueError, match=f"between 0 and 1, not {smoothing}"):
            cross_entropy(logits, labels, smoothing)
    for weights in (np.ones(2), np.ones(4), np.array([1, 1, np.inf]), np.array([1, 1, -0.5])):
        with pytest.raises(ValueError, match=rf"3 finite numbers of at least 0, not \({len(weights)},\)"):
            cross_entropy(logits, labels, class_weights=weights)
    with pytest.raises(ValueError, match="their mean is undefined"):
        cross_entropy(logits, labels, class_weights=np.array([0.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match="not empty"):
        squared_error(np.zeros((0, 2)), np.zeros((0, 2)))
    for a, b in [(1, 2), (2, 1)]:
        with pytest.raises(ValueError, match=rf"\({a}, {b}\) and target \({b}, {a}\)"):
            squared_error(np.zeros((a, b)), np.zeros((b, a)))
