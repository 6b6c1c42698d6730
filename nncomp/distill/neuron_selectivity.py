"""Neuron selectivity: what the neurons respond to, as a distribution over neurons (Huang & Wang 2017)."""

import numpy as np

from nncomp.distill.checks import finite
from nncomp.distill.similarity import Kernel, polynomial_kernel
from nncomp.distill.units import unit, unit_vjp
from nncomp.losses import check_finite


@finite
def neuron_selectivity(
    student: np.ndarray, teacher: np.ndarray, kernel: Kernel = polynomial_kernel
) -> tuple[float, np.ndarray]:
    """`loss = MMD^2(F_T, F_S)` of the neurons' patterns, each of length 1 (Huang & Wang 2017).

        MMD^2(X, Y) = mean_ii' k(x_i, x_i') + mean_jj' k(y_j, y_j') - 2 mean_ij k(x_i, y_j)

    A neuron's pattern is what it responds to: in features (batch, channels, positions) the positions of a sample, and
    the loss is the mean over the samples; in the hidden layer of a perceptron, (batch, width), the samples of the
    batch. The numbers of neurons may differ, and their order does not matter. `linear_kernel` compares mean patterns
    (the activation maps of attention transfer), `polynomial_kernel` their Gram matrices, the paper's best; for
    `gaussian_kernel` it takes the mean squared distance as sigma^2. The pattern of a neuron that is silent stays 0. The
    paper adds the loss times lambda / 2. Returns the loss and its gradient at the student's features.

    >>> s, t = np.array([[1.0], [0.0]]), np.array([[3.0, 0.0], [0.0, 2.0]])  # two samples, one neuron and two
    >>> loss, dstudent = neuron_selectivity(s, t)
    >>> loss, dstudent
    (0.5, array([[0.],
           [0.]]))
    >>> neuron_selectivity(np.array([[2.0], [1.0]]), np.array([[1.0], [0.0]]))[1].round(6)
    array([[-0.32],
           [ 0.64]])
    """
    alike = student.ndim == teacher.ndim and student.ndim in (2, 3) and student.size and teacher.size
    if not alike or (len(student), *student.shape[2:]) != (len(teacher), *teacher.shape[2:]):
        raise ValueError(
            f"features of student {student.shape} and teacher {teacher.shape} are both (batch, width) or both (batch, "
            "channels, positions), of one batch and as many positions, not empty"
        )
    check_finite("student", student)
    check_finite("teacher", teacher)
    Y, length = unit(_patterns(student))
    X, _ = unit(_patterns(teacher.astype(student.dtype)))
    samples, N, M = len(X), X.shape[1], Y.shape[1]
    (K_yy, vjp_yy), (K_yx, vjp_yx) = kernel(Y, Y), kernel(Y, X)
    loss = kernel(X, X)[0].mean() + K_yy.mean() - 2 * K_yx.mean()
    # k is symmetric: y_j is in row and column j of K_yy, so that its gradient counts twice.
    dY = 2 * vjp_yy(np.full_like(K_yy, 1 / M**2)) - 2 * vjp_yx(np.full_like(K_yx, 1 / (M * N)))
    dpatterns = unit_vjp(Y, length, dY / samples)
    return float(loss), dpatterns[0].T if student.ndim == 2 else dpatterns


def _patterns(F: np.ndarray) -> np.ndarray:
    """(samples, neurons, what each responds to); a batch of a perceptron's features is one such sample."""
    return F.T[None] if F.ndim == 2 else F
