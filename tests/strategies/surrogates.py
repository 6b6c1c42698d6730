"""What quantization-aware transforms are the derivative of: the transform with the residue of rounding held constant.

Written from the papers' formulas with NumPy alone; only the codes of w' are taken from the transform.
"""

import numpy as np

from nncomp.formats import Grid
from nncomp.quantize.nearest import fit_grid
from nncomp.transforms import (
    A2Q,
    DSQ,
    LSQ,
    TQT,
    TTQ,
    TWN,
    XNOR,
    BinaryConnect,
    DoReFa,
    Relaxed,
    TrainedDSQ,
    TrainedEWGS,
)
from nncomp.weights import Latent


def trained_through(weight: Latent, params: tuple[np.ndarray, ...]) -> np.ndarray | None:
    """The matrix at `params` whose gradient at `weight` is the transform's; None of a transform that is not here."""
    by, w0, w, at = weight.transform, weight.w, params[-1], weight.dense()
    mask = getattr(by, "mask", None)
    kept = np.ones(w.shape, bool) if mask is None else mask
    moved = np.where(kept, w - w0, 0)
    match by:
        case LSQ():
            held, side = grid_of(by, np.abs(weight.p[0])), np.sign(weight.p[0])
            n = by.per.reduce(kept.astype(w.dtype), np.sum).clip(1)
            c = 1 / np.sqrt(n * (by.format.qmax - by.format.middle)) if by.gradient_scale else 1
            s = held.spread(held.scale + c * side * (params[0] - weight.p[0]), w.shape[1])
            v = w0 / held.spread(held.scale, w.shape[1])
            inside = (by.format.qmin - by.format.middle < v) & (v < by.format.qmax - by.format.middle)
            return on_steps(held, s, inside, w0, w, at, kept)
        case TQT():
            held = grid_of(by, 2.0 ** (np.ceil(weight.p[0]) - by.format.bits + 1))
            s = held.spread(held.scale * 2 ** (params[0] - weight.p[0]), w.shape[1])
            return on_steps(held, s, held.inside(w0), w0, w, at, kept)
        case A2Q():
            return by_accumulator(by, weight, params, kept)
        case DoReFa():
            return at + moved if by.bits == 1 else at + squeezed(w, w0, kept) - squeezed(w0, w0, kept)
        case XNOR():
            return at + through_means(by, w, w0, kept)
        case BinaryConnect():
            return at + np.where((np.abs(w0) <= 1) | (not by.clipped), moved, 0)
        case TWN() | Relaxed():
            return at + moved
        case TTQ():
            delta = by.share * np.abs(np.where(kept, w0, 0)).max()
            above, below = kept & (w0 > delta), kept & (w0 < -delta)
            W_p, W_n, *_ = params
            return np.where(above, W_p, np.where(below, -W_n, 0)) + moved * np.where(
                above, weight.p[0], np.where(below, weight.p[1], 1)
            )
        case TrainedEWGS():
            (l0, u0, _), (l, u, alpha) = weight.p, params[:-1]
            x0, n = (w0 - l0) / (u0 - l0), 2**by.bits - 1
            inside = (x0 >= 0) & (x0 <= 1)
            x_q = by.codes(weight.p, w0)[0] / n
            return np.where(kept, alpha * (2 * np.where(inside, (w - l) / (u - l) + x_q - x0, x_q) - 1), 0)
        case TrainedDSQ():
            return on_interval(by, weight, params, kept)
        case DSQ():
            held = fit_grid(np.where(kept, w0, 0), by.format, by.per)
            step = held.spread(held.scale, w.shape[1])
            soft = soft_codes(w / step, w0 / step, by.alpha) - soft_codes(w0 / step, w0 / step, by.alpha)
            return at + np.where(kept & held.inside(np.where(kept, w0, 0)), soft * step, 0)
    return None


def on_interval(by: TrainedDSQ, weight: Latent, params: tuple[np.ndarray, ...], kept: np.ndarray) -> np.ndarray:
    """`l + D (soft staircase + what rounding adds)`, the code alone beyond."""
    (l0, u0, alpha0), (l, u, alpha), n = weight.p, params[:-1], 2**by.bits - 1
    v0, v = n * (weight.w - l0) / (u0 - l0), n * (params[-1] - l) / (u - l)
    code, inside, cell = by.codes(weight.p, weight.w)[0], (v0 >= 0) & (v0 <= n), np.clip(np.floor(v0), 0, n - 1)

    def stairs(v: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        k = np.log(2 / alpha - 1)
        return cell + 0.5 + np.tanh(k * (v - cell - 0.5)) / (2 * np.tanh(k / 2))

    added = np.where(inside, stairs(v, alpha) - stairs(v0, alpha0), 0)
    return np.where(kept, l + (u - l) / n * (code + added), 0)


def grid_of(by: LSQ | TQT, scale: np.ndarray) -> Grid:
    return Grid(by.format, scale, group=by.per.group)


def on_steps(
    held: Grid, s: np.ndarray, inside: np.ndarray, w0: np.ndarray, w: np.ndarray, at: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """`w + s (round(v) - v)` inside, `s round(v)` beyond: what rounding adds is held, in steps."""
    scale = held.spread(held.scale, w.shape[1])
    steps = at / scale
    return np.where(kept, np.where(inside, w + s * (steps - w0 / scale), s * steps), 0)


def by_accumulator(by: A2Q, weight: Latent, params: tuple[np.ndarray, ...], kept: np.ndarray) -> np.ndarray:
    """`s (u + r)` where a code is not clipped, `s q` where it is; what limits g is held, as what truncation takes."""
    t0, d0, w0 = weight.p[0], weight.p[1], np.where(kept, weight.w, 0)
    above = np.log2(by.most + 0.5)
    any_there = np.abs(w0).sum(axis=1, keepdims=True) > 0

    def u(t: np.ndarray, d: np.ndarray, w: np.ndarray) -> np.ndarray:
        n = np.where(any_there, (np.sign(w0) * w).sum(axis=1, keepdims=True), 1)
        return 2 ** (np.where(t0 > d0 + above, d + above, t) - d) * w / n

    at = u(t0, d0, w0)
    q = np.clip(np.trunc(at), by.format.qmin, by.format.qmax)
    moved = np.where(q == np.trunc(at), u(params[0], params[1], np.where(kept, params[-1], 0)) - at, 0)
    return np.where(kept, 2 ** params[1] * (q + moved), 0)


def squeezed(w: np.ndarray, w0: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """`tanh w / max |tanh w|`, the largest being those of w0."""
    t, t0 = np.tanh(np.where(kept, w, 0)), np.tanh(np.where(kept, w0, 0))
    largest = (np.abs(t0) == np.abs(t0).max()) & (t0 != 0)
    return t / ((t * np.sign(t0))[largest].mean() if largest.any() else 1)


def through_means(by: XNOR, w: np.ndarray, w0: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """How far alpha sign(w) moves."""
    n = by.per.reduce(kept.astype(w.dtype), np.sum).clip(1)
    side = np.where(w0 >= 0, 1.0, -1.0)
    total = by.per.reduce(np.where(kept, np.abs(w0), 0), np.sum)
    change = by.per.reduce(np.where(kept, side * (w - w0), 0), np.sum)
    n, alpha, moved_alpha = (spread_over(a, by.per.group, w.shape[1]) for a in (n, total / n, change / n))
    straight = np.where(np.abs(w0) <= 1, alpha * (w - w0), 0)
    return np.where(kept, straight + (side * moved_alpha if by.exact else (w - w0) / n), 0)


def spread_over(a: np.ndarray, group: int | None, columns: int) -> np.ndarray:
    return a if group is None else np.repeat(a, group, axis=1)[:, :columns]


def soft_codes(v: np.ndarray, v0: np.ndarray, alpha: float) -> np.ndarray:
    """The soft staircase of Gong et al. 2019 at v, on the step v0 is on."""
    k = np.log(2 / alpha - 1)
    cell = np.floor(v0)
    return cell + 0.5 + np.tanh(k * (v - cell - 0.5)) / (2 * np.tanh(k / 2))
