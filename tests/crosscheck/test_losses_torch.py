"""Losses and their gradients against torch's functional losses and autograd, in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@settings(max_examples=40)
@given(batches, classes, temperatures, st.booleans(), st.sampled_from(list(REDUCTIONS)), seeds)
def test_kl_divergence(batch: int, classes: int, T: float, square: bool, reduction, seed: int) -> None:
    rng = np.random.default_rng(seed)
    student, teacher = opposed(rng, batch, classes)
    x = leaf(student)
    theirs = torch_kl(x, teacher, T, REDUCTIONS[reduction]) * (T**2 if square else 1)
    assert_loss(kl_divergence(student, teacher, T, square=square, reduction=reduction), theirs, x)


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


def test_a_teacher_probability_of_0_adds_nothing() -> None:
    student, teacher = np.array([[0.0, 1.0]]), np.array([[0.0, 2000.0]])  # exp(-2000) is 0 in float64
    x = leaf(student)
    assert_loss(kl_divergence(student, teacher), torch_kl(x, teacher, 1.0), x)
