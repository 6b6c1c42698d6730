"""Activation functions, each `forward` directly above its `vjp`.

`vjp(z, a, da)` is the gradient at the input z, given the output `a = forward(z)` and the gradient `da` at it. All act
on arrays of any shape but the softmaxes, which work along the last axis.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_softmax, ndtr, softmax


class Activation:
    """What every activation offers; calling one is its forward pass."""

    def forward(self, z: np.ndarray) -> np.ndarray:
        """`a = f(z)`."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        """`dz = da f'(z)`."""
        raise NotImplementedError(f"{type(self).__name__} has no vjp")

    def __call__(self, z: np.ndarray) -> np.ndarray:
        return self.forward(z)


@dataclass(frozen=True)
class Identity(Activation):
    """f(z) = z, as for logits.

    >>> Identity()(np.array([-1.0, 2.0]))
    array([-1.,  2.])
    """

    def forward(self, z: np.ndarray) -> np.ndarray:
        return z

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da


@dataclass(frozen=True)
class ReLU(Activation):
    """f(z) = max(z, 0); the derivative at 0 is 0; NaN stays NaN.

    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def forward(self, z: np.ndarray) -> np.ndarray:
        return np.maximum(z, 0)

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da * (a > 0)


@dataclass(frozen=True)
class LeakyReLU(Activation):
    """f(z) = z for z > 0, else `slope` z; the derivative at 0 is `slope` (Maas et al. 2013).

    >>> LeakyReLU(0.1)(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    slope: float = 0.01

    def forward(self, z: np.ndarray) -> np.ndarray:
        return np.where(z > 0, z, z * z.dtype.type(self.slope))

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return np.where(z > 0, da, da * da.dtype.type(self.slope))


@dataclass(frozen=True)
class Tanh(Activation):
    """f(z) = tanh z, f' = 1 - a^2.

    >>> Tanh()(np.array([-1.0, 2.0])).round(4)
    array([-0.7616,  0.964 ])
    """

    def forward(self, z: np.ndarray) -> np.ndarray:
        return np.tanh(z)

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da * (1 - a * a)


@dataclass(frozen=True)
class Sigmoid(Activation):
    """f(z) = 1 / (1 + exp(-z)), f' = a (1 - a).

    >>> Sigmoid()(np.array([-1.0, 2.0])).round(4)
    array([0.2689, 0.8808])
    """

    def forward(self, z: np.ndarray) -> np.ndarray:
        return expit(z)

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da * a * (1 - a)


@dataclass(frozen=True)
class SiLU(Activation):
    """f(z) = z s(z) with s the sigmoid, f' = s (1 + z (1 - s)) (Elfwing et al. 2018).

    >>> SiLU()(np.array([-1.0, 2.0])).round(4)
    array([-0.2689,  1.7616])
    """

    def forward(self, z: np.ndarray) -> np.ndarray:
        return z * expit(z)

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        s = expit(z)
        return da * s * (1 + z * (1 - s))


def within_100(z: np.ndarray) -> np.ndarray:
    """z limited to where its powers are finite: at 100 the normal distribution has long reached 0 and 1."""
    return np.clip(z, -100, 100)


@dataclass(frozen=True)
class GELU(Activation):
    """f(z) = z P(z) with P the normal distribution function, f' = P + z p (Hendrycks & Gimpel 2016).

    >>> GELU()(np.array([-1.0, 2.0])).round(4)
    array([-0.1587,  1.9545])
    """

    def forward(self, z: np.ndarray) -> np.ndarray:
        return z * ndtr(z)

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        z = within_100(z)
        p = np.exp(-z * z / 2) * z.dtype.type(1 / np.sqrt(2 * np.pi))
        return da * (ndtr(z) + z * p)


@dataclass(frozen=True)
class GELUTanh(Activation):
    """f(z) = z/2 (1 + tanh u), u = sqrt(2/pi) (z + 0.044715 z^3): the paper's approximation of GELU.

    Computed as z s(2u) with s the sigmoid, the same function without the cancellation of 1 + tanh u at negative u.

    >>> GELUTanh()(np.array([-1.0, 2.0])).round(4)
    array([-0.1588,  1.9546])
    """

    def forward(self, z: np.ndarray) -> np.ndarray:
        return z * expit(2 * self._u(within_100(z)))

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        z = within_100(z)
        s = expit(2 * self._u(z))
        du = z.dtype.type(np.sqrt(2 / np.pi)) * (1 + z.dtype.type(3 * 0.044715) * z * z)
        return da * s * (1 + 2 * z * (1 - s) * du)

    @staticmethod
    def _u(z: np.ndarray) -> np.ndarray:
        return z.dtype.type(np.sqrt(2 / np.pi)) * (z + z.dtype.type(0.044715) * z * z * z)


@dataclass(frozen=True)
class Softmax(Activation):
    """a_i = exp z_i / sum_j exp z_j, dz = a (da - sum_j a_j da_j).

    >>> Softmax()(np.array([-1.0, 2.0])).round(4)
    array([0.0474, 0.9526])
    """

    def forward(self, z: np.ndarray) -> np.ndarray:
        return softmax(z, axis=-1)

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return a * (da - (a * da).sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class LogSoftmax(Activation):
    """a_i = z_i - log sum_j exp z_j, dz = da - exp(a) sum_j da_j.

    >>> LogSoftmax()(np.array([-1.0, 2.0])).round(4)
    array([-3.0486, -0.0486])
    """

    def forward(self, z: np.ndarray) -> np.ndarray:
        return log_softmax(z, axis=-1)

    def vjp(self, z: np.ndarray, a: np.ndarray, da: np.ndarray) -> np.ndarray:
        return da - np.exp(a) * da.sum(axis=-1, keepdims=True)
