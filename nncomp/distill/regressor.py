"""The regressor: from the student's features to the teacher's width, a linear map that trains along."""

import numpy as np

from nncomp.activations import Activation
from nncomp.distill.checks import check_params


def check_regressor(student: np.ndarray, W: np.ndarray, b: np.ndarray, width: int) -> None:
    """Raise unless W (width, student's width) and b (width,) are finite and of the student's dtype."""
    check_params(student.dtype, W=(W, (width, student.shape[1])), b=(b, (width,)))


def regress(V: np.ndarray, W: np.ndarray, b: np.ndarray, activation: Activation) -> tuple[np.ndarray, np.ndarray]:
    """`R = f(Z)`, `Z = V WT + b`, of features `V (batch, in)`: R and Z, each (batch, out)."""
    Z = V @ W.T + b
    return activation.forward(Z), Z


def regress_vjp(
    V: np.ndarray, W: np.ndarray, Z: np.ndarray, R: np.ndarray, dR: np.ndarray, activation: Activation
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`dZ = dR f'(Z)`: `dV = dZ W`, `dW = dZT V`, `db = sum_n dZ`, given the gradient at R."""
    dZ = activation.vjp(Z, R, dR)
    return dZ @ W, dZ.T @ V, dZ.sum(axis=0)
