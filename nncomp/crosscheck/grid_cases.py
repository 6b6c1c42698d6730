"""What uniform quantization goes wrong on: each function below is a hazard and says why."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from nncomp.crosscheck.shrink import Case
from nncomp.formats import Grid, Uniform

LENGTHS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65)  # whole vectors of 4 to 32 lanes, and what is left over


def grid_cases(format: Uniform, dtype: type = np.float32, *, seed: int = 0) -> Iterator[Case]:
    """Cases `(x, scale, zero_point)` of values x (rows, columns) to lay on `Grid(format, scale, zero_point)`.

    `scale` (1, 1) or (rows, 1) has the `dtype` of x, float32 or float64; `zero_point`, of the same shape, has the
    codes', and is the middle code where the format is symmetric. Infinities never share a case with finite values, so
    that a framework can be spared what it leaves undefined; no case holds NaN, which has no code.

    >>> x, scale, zero_point = next(grid_cases(Uniform(bits=4, symmetric=False)))
    >>> x[0, :3], scale, zero_point
    (array([-2.5, -1.5, -0.5], dtype=float32), array([[1.]], dtype=float32), array([[-8]], dtype=int8))
    """
    rng = np.random.default_rng(seed)
    grids = [*_grids(format, dtype), *_fitted(format, dtype)]
    for hazard in HAZARDS:
        rows = [_case(grid, hazard(grid, rng)[None]) for grid in grids]
        yield from rows
        for start in range(0, len(rows), 4):
            yield tuple(np.concatenate(parts) for parts in zip(*rows[start : start + 4]))
    yield from _lengths(format, dtype, rng)


def _case(grid: Grid, x: np.ndarray) -> Case:
    return x, grid.scale, grid.zeros.astype(grid.format.dtype)


def _grids(format: Uniform, dtype: type) -> Iterator[Grid]:
    """Every kind of scale with every kind of zero point."""
    for zero_point, scale in product(_zero_points(format), _scales(format, dtype)):
        yield Grid(format, np.array([[scale]], dtype), np.array([[zero_point]], format.dtype))


def _scales(format: Uniform, dtype: type) -> tuple[float, ...]:
    info = np.finfo(dtype)
    return (
        *(1, 2**-7, 2**20),  # powers of two: x / scale is exact, so that ties are ties, and so is the reciprocal
        *(0.1, 1 / 3, 1 / 127, 3),  # the reciprocal is rounded
        float(info.tiny),  # the smallest that is normal
        float(info.smallest_subnormal),  # its reciprocal overflows
        float(info.max) / 2 ** (format.bits + 1),  # about the largest of which every code stands for a finite value
    )


def _zero_points(format: Uniform) -> tuple[int, ...]:
    """Both ends and the middle, even and odd: added before the rounding, an odd one turns every tie."""
    low, high, middle = format.qmin, format.qmax, (format.qmin + format.qmax) // 2
    return (format.middle,) if format.symmetric else (low, low + 1, middle, middle + 1, high)


def _fitted(format: Uniform, dtype: type) -> Iterator[Grid]:
    """What ranges make of a format: one of nothing but zeros, of one sign, far from 0, of both signs."""
    for low, high in ((0.0, 0.0), (0.0, 2.55), (-1e-30, 0.0), (100.0, 101.0), (-0.7, 1.3)):
        yield Grid.covering(format, np.array([[low]], dtype), np.array([[high]], dtype))


def _steps(grid: Grid) -> np.ndarray:
    """Whole steps from the zero point, in floating point: to codes at both ends and just beyond, about 0, all over."""
    f = grid.format
    spread = np.linspace(f.qmin, f.qmax, 32).round()
    near = [np.arange(end - 3, end + 4) for end in (f.qmin, f.qmax, int(grid.zeros.item()))]
    return (np.concatenate([*near, spread]) - grid.zeros.item()).astype(grid.scale.dtype)


def codes(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """What codes stand for: each is its own nearest, and those beyond the ends saturate."""
    return _steps(grid) * grid.scale.item()


def ties(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Halfway between two codes: the rounding mode decides, and whether it comes before or after the zero point."""
    return (_steps(grid) + grid.scale.dtype.type(0.5)) * grid.scale.item()


def beside_ties(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """One ulp to either side of a tie: one rounding too many, as of `x / scale + zero_point`, makes them ties."""
    tie = ties(grid, rng)
    return np.concatenate([np.nextafter(tie, tie.dtype.type(end)) for end in (-np.inf, np.inf)])


def reciprocals(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Where `round(x / scale)` and `round(x * (1 / scale))` differ, as far as such are found; others fill up."""
    x = np.concatenate([ties(grid, rng), beside_ties(grid, rng)])
    with np.errstate(over="ignore", invalid="ignore"):
        differ = np.rint(x / grid.scale) != np.rint(x * (1 / grid.scale))
    return x[np.argsort(~differ[0], kind="stable")[:32]]


def wrapping(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """So many steps that an integer of 8, 16, 32 or 64 bits wraps around if the limit comes after the cast."""
    powers = 2.0 ** np.array([7, 8, 15, 16, 23, 24, 31, 32, 52, 53, 62, 63, 64])
    largest = np.finfo(grid.scale.dtype).max
    with np.errstate(over="ignore"):
        x = np.concatenate([-powers, powers]).astype(grid.scale.dtype) * grid.scale.item()
    return np.clip(x, -largest, largest)


def zeros(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Both zeros and the subnormals' ends: the sign of zero leaves no trace, and flushing to zero may leave one."""
    info = np.finfo(grid.scale.dtype)
    x = np.array([0, info.smallest_subnormal, info.tiny - info.smallest_subnormal, info.tiny], grid.scale.dtype)
    return np.concatenate([x, -x])


def huge(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """The largest numbers: x / scale overflows where the scale is below 1, before it is limited to the codes."""
    largest = np.finfo(grid.scale.dtype).max
    return np.array([largest, -largest, largest / 2, -largest / 2], grid.scale.dtype)


def infinities(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """They saturate; cast to an integer first, both may become the lowest."""
    return np.array([np.inf, -np.inf], grid.scale.dtype)


def anything(grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Normal values all over the codes, and random bits, which are of any size."""
    dtype, span = grid.scale.dtype, grid.format.qmax - grid.format.qmin
    normal = rng.normal(scale=span / 4, size=32).astype(dtype) * grid.scale.item()
    bits = rng.integers(0, 256, 32 * dtype.itemsize, np.uint8).view(dtype)
    return np.concatenate([normal, np.where(np.isfinite(bits), bits, 0)])


HAZARDS = (ties, beside_ties, reciprocals, codes, wrapping, zeros, huge, infinities, anything)


def _lengths(format: Uniform, dtype: type, rng: np.random.Generator) -> Iterator[Case]:
    """Every length, by one scale and by a scale per row: the last elements often take another way than the vectors."""
    grids = list(_grids(format, dtype))
    for length, (rows, scales) in product(LENGTHS, ((1, 1), (3, 1), (3, 3))):
        chosen = [grids[i] for i in rng.integers(len(grids), size=scales)]
        pools = [np.concatenate([ties(grid, rng), beside_ties(grid, rng), anything(grid, rng)]) for grid in chosen]
        x = np.stack([rng.choice(pools[row % scales], length) for row in range(rows)])
        scale, zero_point = (np.concatenate(parts) for parts in zip(*(_case(grid, x)[1:] for grid in chosen)))
        yield x, scale, zero_point
