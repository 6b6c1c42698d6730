"""The gradient test: along a random direction, a central difference in float64 agrees with the analytic gradient."""

from collections.abc import Callable, Sequence

import numpy as np

STEP = 1e-5


def assert_gradient(
    f: Callable[..., float],
    at: Sequence[np.ndarray],
    gradients: Sequence[np.ndarray],
    seed: int = 0,
    terms: float = 0.0,
) -> None:
    """Law 2: `|numeric - analytic| <= 1e-6 |g| |d|` along a random unit direction d through all arrays together.

    Every entry is measured in units of its own size, so that a scale of 1e-6 and a weight of 10 both take a step that
    is small for them; a zero in units of its array's largest, but of 1 at most, which is the step of a grid that
    nothing spans. What rounding of f itself can contribute, a few units in the last place of f over twice the step, is
    added; it only matters where the gradient all but vanishes. `terms`: the size of what cancels within f, where that
    can be far larger than f.
    """
    assert all(a.dtype == np.float64 for a in at), "derivatives are taken in float64"
    assert [g.shape for g in gradients] == [a.shape for a in at]
    rng = np.random.default_rng(seed)
    unit = [np.where(a == 0, min(np.abs(a).max(initial=0) or 1.0, 1.0), np.abs(a)) for a in at]
    direction = [rng.standard_normal(a.shape) for a in at]
    length = np.sqrt(sum(float((d * d).sum()) for d in direction))
    if length == 0:
        return
    direction = [u * d / length for u, d in zip(unit, direction)]
    ahead = f(*(a + STEP * d for a, d in zip(at, direction)))
    behind = f(*(a - STEP * d for a, d in zip(at, direction)))
    numeric = (ahead - behind) / (2 * STEP)
    analytic = sum(float((g * d).sum()) for g, d in zip(gradients, direction))
    size = np.sqrt(sum(float(((u * g) ** 2).sum()) for u, g in zip(unit, gradients)))
    rounding = 64 * np.finfo(np.float64).eps * (abs(ahead) + abs(behind) + terms) / (2 * STEP)
    assert abs(numeric - analytic) <= 1e-6 * size + rounding, (numeric, analytic, size)
