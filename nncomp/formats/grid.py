"""The uniform grid: integers q that stand for `(q - zero_point) * scale`, as ONNX QuantizeLinear defines it.

`Uniform` names the conventions, `Grid` is what they are for some values. Storage, fake quantization in training and the
integer kernels all go through one `Grid`, so what is trained is what is shipped.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from nncomp.fields import NotFinite
from nncomp.formats.granularity import spread
from nncomp.formats.uniform import Uniform


@dataclass(frozen=True, eq=False, repr=False)
class Grid:
    """A uniform grid fitted to values: `decode(q) = (q - zero_point) * scale`.

    `scale (rows or 1, blocks)`: positive and finite. `zero_point`: the same shape in the codes' dtype, or the scales'
    where it need be no code, or None for the middle code. `group`: columns per block, or None where a block is a row.
    """

    format: Uniform
    scale: np.ndarray
    zero_point: np.ndarray | None = None
    group: int | None = None

    def __post_init__(self) -> None:
        scale, zero = self.scale, self.zero_point
        if scale.ndim != 2 or scale.dtype not in (np.float32, np.float64):
            raise ValueError(
                f"scales are float32 or float64 in two dimensions, not {scale.dtype} of shape {scale.shape}"
            )
        if not (np.isfinite(scale).all() and (scale > 0).all()):
            raise NotFinite(f"scales are positive and finite, not {scale.min()} to {scale.max()}")
        if self.group is not None and (not isinstance(self.group, int) or self.group < 1):
            raise ValueError(f"a group has a whole number of columns, at least one, not {self.group}")
        if self.group is None and scale.shape[1] != 1:
            raise ValueError(f"scales of shape {scale.shape} need the number of columns in a group")
        if zero is not None:
            self._check_zero_point(zero)

    def _check_zero_point(self, zero: np.ndarray) -> None:
        format, scale = self.format, self.scale
        dtype = format.dtype if format.integer_zero else scale.dtype
        low, high = (format.qmin, format.qmax) if format.integer_zero else (-np.inf, np.inf)
        if zero.size and not low <= zero.min() <= zero.max() <= high:
            raise ValueError(f"zero points are codes of {format}, not {zero.min()} to {zero.max()}")
        if zero.shape != scale.shape or zero.dtype != dtype:
            raise ValueError(
                f"zero points are {dtype} of the scales' shape {scale.shape}, not {zero.dtype} {zero.shape}"
            )
        if not np.isfinite(zero).all():
            raise ValueError(f"zero points are finite, not {zero.min()} to {zero.max()}")

    @classmethod
    def covering(cls, format: Uniform, low: np.ndarray, high: np.ndarray, group: int | None = None) -> Self:
        """The grid for values from `low` to `high`, one pair per scale, shapes (rows, blocks); see `Granularity`.

        >>> Grid.covering(Uniform(bits=4, signed=False, symmetric=False), np.array([[-1.0]]), np.array([[2.0]]))
        Grid(scale=[[0.2]], zero_point=[[5]], Uniform(bits=4, signed=False, symmetric=False))
        """
        return cls(format, *format.fit(low, high), group)

    def __repr__(self) -> str:
        zero = "" if self.zero_point is None else f", zero_point={_brief(self.zero_point)}"
        return f"Grid(scale={_brief(self.scale)}{zero}, {self.format})"

    @property
    def nbytes(self) -> int:
        """Bytes of scales and zero points."""
        return self.scale.nbytes + (0 if self.zero_point is None else self.zero_point.nbytes)

    @property
    def zeros(self) -> np.ndarray:
        """The zero points, shaped like the scales, as int32 where they are codes."""
        if self.zero_point is None:
            return np.full(self.scale.shape, self.format.middle, np.int32)
        return self.zero_point.astype(np.int32) if self.format.integer_zero else self.zero_point

    def spread(self, block_values: np.ndarray, columns: int) -> np.ndarray:
        """One value per block -> one per column (or an array that broadcasts so)."""
        if self.group is None:
            return block_values
        return spread(block_values, self.group, columns)

    def column(self, j: int) -> "Grid":
        """The grid of column j alone.

        >>> Grid(Uniform(), np.array([[0.5, 2.0]]), group=3).column(4)
        Grid(scale=[[2.0]], Uniform())
        """
        block = slice(0, 1) if self.group is None else slice(j // self.group, j // self.group + 1)
        zero = None if self.zero_point is None else self.zero_point[:, block]
        return Grid(self.format, self.scale[:, block], zero)

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise unless arrays of `shape` can be laid on this grid."""
        rows, blocks = self.scale.shape
        needed = 1 if self.group is None else -(-shape[-1] // self.group)
        if len(shape) != 2 or rows not in (1, shape[0]) or blocks != needed:
            raise ValueError(f"an array of shape {shape} does not fit scales {self.scale.shape}, group {self.group}")

    def unsaturated(self, x: np.ndarray) -> np.ndarray:
        """`round(x / scale) + zero_point`, whole numbers in floating point, not yet limited to the codes."""
        self.check(x.shape)
        scale, zeros = (self.spread(v, x.shape[1]) for v in (self.scale, self.zeros.astype(self.scale.dtype)))
        with np.errstate(over="ignore"):  # overflow is saturation
            return self.format.arithmetic(x, scale, zeros, self.format.rounding)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """`q = saturate(round(x / scale) + zero_point)` for `x (rows, columns)`; NaN raises, infinities saturate.

        >>> grid = Grid(Uniform(), np.array([[0.5]]))
        >>> grid.encode(np.array([[0.25, 0.75, -1e9]]))
        array([[   0,    2, -128]], dtype=int8)
        """
        return self._saturated(self.unsaturated(x))

    def _saturated(self, q: np.ndarray) -> np.ndarray:
        """Whole numbers -> codes; `q` is used up."""
        np.clip(q, self.format.qmin, self.format.qmax, out=q)
        if q.size and np.isnan(q.min()):
            raise ValueError(f"NaN at {tuple(np.argwhere(np.isnan(q))[0].tolist())} has no code")
        return q.astype(self.format.dtype)

    def decode(self, q: np.ndarray) -> np.ndarray:
        """`x = (q - zero_point) * scale`, in the scales' dtype.

        >>> Grid(Uniform(), np.array([[0.5]])).decode(np.array([[0, 2, -128]], np.int8))
        array([[  0.,   1., -64.]])
        """
        self.check(q.shape)
        dtype = self.scale.dtype
        steps = q.astype(dtype) - self.spread(self.zeros.astype(dtype), q.shape[1])
        return steps * self.spread(self.scale, q.shape[1])

    def inside(self, x: np.ndarray) -> np.ndarray:
        """True where encoding `x` does not saturate: where the clipped straight-through estimator passes gradients."""
        return self._inside(self.unsaturated(x))

    def _inside(self, q: np.ndarray) -> np.ndarray:
        return (q >= self.format.qmin) & (q <= self.format.qmax)

    def fake(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fake quantization, `decode(encode(x))`, and `inside(x)`."""
        q = self.unsaturated(x)
        inside = self._inside(q)
        return self.decode(self._saturated(q)), inside

    def grid_for(self, x: np.ndarray) -> "Grid":
        """This grid, whatever the input: the static case of an input quantizer."""
        return self


def _brief(values: np.ndarray) -> str:
    return str(values.tolist()) if values.size <= 4 else f"{values.dtype}{list(values.shape)}"
