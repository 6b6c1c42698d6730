"""Scores from derivatives of the loss, which the caller supplies: from any framework, for weights of any shape."""

from collections.abc import Callable, Sequence

import numpy as np

from nncomp.prune.checks import wide

Weights = Sequence[np.ndarray]


def snip(w: np.ndarray, g: np.ndarray) -> np.ndarray:
    """`c_j = |w_j dL/dw_j|`, g the gradient at w: connection sensitivity (Lee et al. 2019, equation 4).

    What the loss would feel of a factor on the weight. The paper divides by the sum over all layers, which changes no
    rank.

    >>> snip(np.array([2.0, -1.0]), g=np.array([0.5, 3.0]))
    array([1., 3.])
    """
    w, g = _checked(w, g)
    return np.abs(w * g)


def taylor(w: np.ndarray, g: np.ndarray) -> np.ndarray:
    """`I_j = (g_j w_j)^2`, the squared change of the loss without w_j, to first order (Molchanov et al. 2019, eq. 8).

    >>> taylor(np.array([2.0, -1.0]), g=np.array([0.5, 3.0]))
    array([1., 9.])
    """
    w, g = _checked(w, g)
    return (w * g) ** 2


def fisher(w: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """`D_j = w_j^2 / (2 N) sum_n g_nj^2`, of each sample's gradient g_n (Theis et al. 2018, section 2).

    `squares`: the mean of the samples' squared gradients, for a dense layer `squared_gradients`.

    >>> fisher(np.array([2.0, -1.0]), squares=np.array([0.5, 3.0]))
    array([1. , 1.5])
    """
    w, squares = _checked(w, squares)
    return w**2 * squares / 2


def squared_gradients(x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """`(1 / N) sum_n g_n^2` of a layer's weights (out, in), as `g_n = dy_n x_nT`: inputs (N, in), gradients (N, out).

    `dy`: the gradient of each sample's own loss at the layer's outputs, not divided by N.

    >>> squared_gradients(np.array([[1.0, 2.0]]), dy=np.array([[3.0]]))
    array([[ 9., 36.]])
    """
    if x.ndim != 2 or dy.ndim != 2 or len(x) != len(dy) or len(x) == 0:
        raise ValueError(f"inputs (N, in) and gradients (N, out) of at least one sample, not {x.shape} and {dy.shape}")
    return (wide(dy, x) ** 2).T @ wide(x, dy) ** 2 / len(x)


def grasp(weights: Weights, gradient: Callable[[list[np.ndarray]], Weights]) -> list[np.ndarray]:
    """`w . (H g)` for each layer: larger keeps more of the gradient's flow (Wang et al. 2020, equation 8).

    The paper prunes the largest of `S(-w) = -w . (H g)`. H g is the central difference of `gradient(weights)` along g,
    which deserves weights in float64.

    >>> [s] = grasp([np.array([1.0, 2.0])], lambda w: [w[0] * np.array([1.0, 10.0])])  # H = diag(1, 10), g = H w
    >>> s.round(4)
    array([  1., 400.])
    """
    weights = [np.asarray(w) for w in weights]
    g = [np.array(part) for part in gradient(weights)]  # copies: the next call may write to the same arrays
    for w, part in zip(weights, g, strict=True):
        _checked(w, part)
    length, size = (float(np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in arrays))) for arrays in (g, weights))
    if length == 0:
        return [np.zeros_like(w) for w in weights]
    step = float(np.finfo(weights[0].dtype).eps ** (1 / 3) * max(size, 1.0) / length)
    ahead, behind = ([np.array(p) for p in gradient([w + h * d for w, d in zip(weights, g)])] for h in (step, -step))
    return [w * ((a - b) / (2 * step)) for w, a, b in zip(weights, ahead, behind)]


def _checked(w: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both, in one dtype that holds their product."""
    w, g = np.asarray(w), np.asarray(g)
    floats = all(np.issubdtype(a.dtype, np.floating) for a in (w, g))
    if w.shape != g.shape or not floats or not (np.isfinite(w).all() and np.isfinite(g).all()):
        told = f"{w.dtype} {w.shape} and {g.dtype} {g.shape}"
        raise ValueError(f"weights and what belongs to each are finite floats of one shape, not {told}")
    return wide(w, g), wide(g, w)
