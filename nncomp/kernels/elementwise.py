"""The optimizers' updates, each one pass over memory, in place.

All scalars arrive in the arrays' own dtype: a stray float64 would double the width of the arithmetic.
"""

import numpy as np

from nncomp.kernels.jit import compiled
from nncomp.kernels.simd import add, divide, full, load, multiply, prefetch_line, sqrt, store, subtract, width, zeros
from nncomp.kernels.simd.path import PATH

AHEAD = 512
"""How many weights ahead memory is asked for: four arrays at once are more than it foresees."""


def adam_reference(
    w: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray,
    rate: float, beta1: float, beta2: float, eps: float, decay: float, t: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """New `(w, m, v)` after step t = 1, 2, ... of Adam (Kingma & Ba 2015, algorithm 1), its `decay` decoupled.

    m = beta1 m + (1 - beta1) g                     v = beta2 v + (1 - beta2) g^2
    w = w (1 - rate decay) - rate / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
    """
    scalar = w.dtype.type
    step, root = scalar(rate / (1 - beta1**t)), scalar(1 / np.sqrt(1 - beta2**t))
    m = scalar(beta1) * m + scalar(1 - beta1) * g
    v = scalar(beta2) * v + scalar(1 - beta2) * g * g
    w = w * scalar(1 - rate * decay) - step * m / (np.sqrt(v) * root + scalar(eps))
    return w, m, v


def adam(
    w: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray,
    rate: float, beta1: float, beta2: float, eps: float, decay: float, t: int,
) -> None:  # fmt: skip
    """As `adam_reference`, bit for bit, in place: `w`, `m` and `v` are updated.

    >>> w, m, v = np.ones(1), np.zeros(1), np.zeros(1)
    >>> adam(w, np.array([5.]), m, v, rate=0.1, beta1=0.9, beta2=0.999, eps=0.0, decay=0.0, t=1)
    >>> w.round(12)
    array([0.9])
    """
    scalar = w.dtype.type
    _adam(
        w.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1),
        scalar(rate / (1 - beta1**t)), scalar(1 / np.sqrt(1 - beta2**t)), scalar(1 - rate * decay),
        scalar(beta1), scalar(1 - beta1), scalar(beta2), scalar(1 - beta2), scalar(eps),
    )  # fmt: skip


def _adam_scalar_py(w, g, m, v, step, root, keep, beta1, rest1, beta2, rest2, eps):  # type: ignore[no-untyped-def]
    for i in range(w.size):
        mi = beta1 * m[i] + rest1 * g[i]
        vi = beta2 * v[i] + rest2 * g[i] * g[i]
        m[i] = mi
        v[i] = vi
        w[i] = w[i] * keep - step * mi / (np.sqrt(vi) * root + eps)


def _adam_py(w, g, m, v, step, root, keep, beta1, rest1, beta2, rest2, eps):  # type: ignore[no-untyped-def]
    like = zeros(1, 1, w)
    step, root, keep, eps = full(like, step), full(like, root), full(like, keep), full(like, eps)
    beta1, rest1, beta2, rest2 = full(like, beta1), full(like, rest1), full(like, beta2), full(like, rest2)
    for i in range(0, w.size, width(like)):
        rest = w.size - i
        prefetch_line(w, i + AHEAD)
        prefetch_line(g, i + AHEAD)
        prefetch_line(m, i + AHEAD)
        prefetch_line(v, i + AHEAD)
        gi, mi, vi = load(like, g, i, 0, 1, rest), load(like, m, i, 0, 1, rest), load(like, v, i, 0, 1, rest)
        mi = add(multiply(beta1, mi), multiply(rest1, gi))
        vi = add(multiply(beta2, vi), multiply(multiply(rest2, gi), gi))
        store(mi, m, i, 0, 1, rest)
        store(vi, v, i, 0, 1, rest)
        move = divide(multiply(step, mi), add(multiply(sqrt(vi), root), eps))
        store(subtract(multiply(load(like, w, i, 0, 1, rest), keep), move), w, i, 0, 1, rest)


_adam = compiled(_adam_scalar_py if PATH == "scalar" else _adam_py)


def sgd_reference(
    w: np.ndarray, g: np.ndarray, v: np.ndarray, rate: float, momentum: float, nesterov: bool
) -> tuple[np.ndarray, np.ndarray]:
    """New `(w, v)`: `v = momentum v + g`, then `w -= rate v`, or with Nesterov `w -= rate (g + momentum v)`."""
    rate, momentum = w.dtype.type(rate), w.dtype.type(momentum)
    v = momentum * v + g
    return w - rate * (g + momentum * v if nesterov else v), v


def sgd(w: np.ndarray, g: np.ndarray, v: np.ndarray, rate: float, momentum: float, nesterov: bool) -> None:
    """As `sgd_reference`, bit for bit, in place: `w` and `v` are updated.

    >>> w, v = np.ones(1), np.ones(1)
    >>> sgd(w, np.ones(1), v, rate=0.5, momentum=0.5, nesterov=False)
    >>> w, v
    (array([0.25]), array([1.5]))
    """
    scalar = w.dtype.type
    _sgd(w.reshape(-1), g.reshape(-1), v.reshape(-1), scalar(rate), scalar(momentum), nesterov)


def _sgd_py(w, g, v, rate, momentum, nesterov):  # type: ignore[no-untyped-def]
    for i in range(w.size):
        vi = momentum * v[i] + g[i]
        v[i] = vi
        w[i] -= rate * (g[i] + momentum * vi if nesterov else vi)


_sgd = compiled(_sgd_py)
