"""Losses and their gradients against torch's functional losses and autograd."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.crosscheck import compare, kl_cases
from nncomp.distill.soft_targets import batchmean, elementmean, kd, kl_divergence, summed
from nncomp.losses import cross_entropy, squared_error

torch = pytest.importorskip("torch")
F = torch.nn.functional

from tests.crosscheck.torch_graph import assert_close, leaf  # noqa: E402

# torch warns that its default reduction, "mean", is not the mean over the batch; that is compared here on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")

REDUCTIONS = {batchmean: "batchmean", elementmean: "mean", summed: "sum"}
seeds = st.integers(0, 2**32 - 1)
temperatures = st.floats(0.5, 20)
batches, classes = st.integers(1, 8), st.integers(2, 9)


def logits(rng: np.random.Generator, batch: int, classes: int) -> np.ndarray:
    """Within [-4, 4]: no probability is below exp(-8) / 9, so p - t cancels by 1e5 at most, far from 1e-10 / eps."""
    return rng.uniform(-4, 4, (batch, classes))


def assert_loss(ours: tuple[float, np.ndarray], theirs: "torch.Tensor", at: "torch.Tensor") -> None:
    """The loss and its gradient at a leaf."""
    loss, gradient = ours
    assert loss == pytest.approx(theirs.item(), rel=1e-10, abs=0)
    assert_close(gradient, torch.autograd.grad(theirs, at)[0])


@settings(max_examples=40)
@given(batches, classes, st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.booleans(), seeds)
def test_cross_entropy(batch: int, classes: int, smoothing: float, weighted: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, labels = logits(rng, batch, classes), rng.integers(classes, size=batch)
    weights = rng.uniform(0.1, 3, classes) if weighted else None
    x = leaf(z)
    theirs = F.cross_entropy(
        x, torch.tensor(labels), None if weights is None else torch.tensor(weights), label_smoothing=smoothing
    )
    assert_loss(cross_entropy(z, labels, smoothing, weights), theirs, x)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_with_a_class_of_weight_0(smoothing: float) -> None:
    z, labels, weights = np.array([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]]), np.array([0, 2]), np.array([0.0, 1.5, 2.0])
    x = leaf(z)
    theirs = F.cross_entropy(x, torch.tensor(labels), torch.tensor(weights), label_smoothing=smoothing)
    assert_loss(cross_entropy(z, labels, smoothing, weights), theirs, x)


@settings(max_examples=40)
@given(batches, st.integers(1, 9), seeds)
def test_squared_error(batch: int, outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    prediction, target = rng.normal(size=(2, batch, outputs))
    x = leaf(prediction)
    assert_loss(squared_error(prediction, target), F.mse_loss(x, torch.tensor(target)), x)


def torch_kl(student: "torch.Tensor", teacher: np.ndarray, T: float, reduction: str = "batchmean") -> "torch.Tensor":
    log_p = F.log_softmax(student / T, dim=1)
    return torch.nn.KLDivLoss(reduction=reduction)(log_p, F.softmax(torch.tensor(teacher) / T, dim=1))


def opposed(rng: np.random.Generator, batch: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Student and teacher who rank the first two classes against each other, at least 2 apart.

    A divergence is a sum of terms of both signs: between distributions almost equal nothing would be left of it.
    """
    student, teacher = logits(rng, batch, classes), logits(rng, batch, classes)
    student[:, 0], student[:, 1] = rng.uniform(1, 4, batch), rng.uniform(-4, -1, batch)
    teacher[:, 0], teacher[:, 1] = rng.uniform(-4, -1, batch), rng.uniform(1, 4, batch)
    return student, teacher


def log_softmax_errors(z: np.ndarray, T: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`log p` of softmax(z / T) in float64, `p`, and how far one evaluation in z's dtype may be from each.

    U is one rounding. Every framework takes the row's largest off first: d = z / T - max has an error of U |d| and, but
    for the largest themselves, of the roundings of both quotients (of product and reciprocal, where T is inverted).
    exp and log are allowed 4 ulp, 8 U, as NumPy's are, and to flush to 0 what is smaller than normal; a sum of n terms
    rounds n times. Errors of exponents become errors of exp by the mean value theorem.
    """
    info = np.finfo(z.dtype)
    U, tiny = info.eps / 2, float(info.tiny)
    a = z.astype(np.float64) / T
    top = a.max(axis=1, keepdims=True)
    d = a - top
    d_error = U * np.abs(d) + np.where(d == 0, 0, 2 * U * (np.abs(a) + np.abs(top)))
    total = np.exp(d).sum(axis=1, keepdims=True)
    exp_error = np.exp(d + d_error) * d_error + 8 * U * np.exp(d) + tiny
    total_error = exp_error.sum(axis=1, keepdims=True) / total + z.shape[1] * U  # relative
    log_p = d - np.log(total)
    log_error = d_error + total_error + 8 * U * np.log(total) + U * np.abs(log_p)
    return log_p, np.exp(log_p), log_error, np.exp(log_p + log_error) * log_error + 9 * U * np.exp(log_p) + tiny


def rounding(student: np.ndarray, teacher: np.ndarray, T: float, weight: float) -> tuple[float, np.ndarray]:
    """The most two evaluations of `weight sum q (log q - log p)` and of its gradient can differ, by roundings alone.

    Of each term, whether it is computed so or as q log q - q log p; of their sum; of `weight (p - q) / T` or, as
    autograd has it, of `(p sum(weight q) - weight q) / T`. What is smaller than normal may be flushed anywhere.
    """
    info = np.finfo(student.dtype)
    U, tiny = info.eps / 2, float(info.tiny)
    log_p, p, log_p_error, p_error = log_softmax_errors(student, T)
    log_q, q, log_q_error, q_error = log_softmax_errors(teacher, T)
    logs = np.abs(log_p) + np.abs(log_q)
    terms = q_error * (logs + 1 + log_p_error + log_q_error) + q * log_p_error + 9 * U * q * logs
    loss = weight * (terms.sum() + (student.size + 4) * U * (q * logs).sum()) + 2 * tiny
    n = student.shape[1]
    q_total_error = q_error.sum(axis=1, keepdims=True) + (n + 4) * U
    gradient = weight / T * (p_error + q_error + p * q_total_error + 4 * U * (p + q)) + (n + 3) * tiny * (1 + 1 / T)
    return 2 * loss, 2 * gradient


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("square", [True, False])
@pytest.mark.parametrize("reduction", list(REDUCTIONS))
def test_kl_divergence(reduction: Callable[[int, int], int], square: bool, dtype: type) -> None:
    def theirs(student: np.ndarray, teacher: np.ndarray, T: float) -> tuple[float, np.ndarray]:
        x = leaf(student)
        loss = torch_kl(x, teacher, T, REDUCTIONS[reduction]) * (T**2 if square else 1)
        return loss.item(), torch.autograd.grad(loss, x)[0].numpy()

    def ours(student: np.ndarray, teacher: np.ndarray, T: float) -> tuple[float, np.ndarray]:
        return kl_divergence(student, teacher, T, square=square, reduction=reduction)

    def bound(student: np.ndarray, teacher: np.ndarray, T: float) -> tuple[float, np.ndarray]:
        return rounding(student, teacher, T, (T**2 if square else 1) / reduction(*student.shape))

    comparison = compare(theirs, ours, kl_cases(dtype), tolerance=1, unit=bound)
    assert comparison.agree, comparison
    assert comparison.refused == 0


@settings(max_examples=40)
@given(batches, classes, temperatures, st.floats(0, 1), st.sampled_from([0.0, 0.1]), seeds)
def test_kd(batch: int, classes: int, T: float, alpha: float, smoothing: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    student, teacher = opposed(rng, batch, classes)
    labels = rng.integers(classes, size=batch)
    x = leaf(student)
    hard = F.cross_entropy(x, torch.tensor(labels), label_smoothing=smoothing)
    theirs = alpha * T**2 * torch_kl(x, teacher, T) + (1 - alpha) * hard
    assert_loss(kd(student, teacher, labels, T, alpha, smoothing=smoothing), theirs, x)
