"""Integer codes on a uniform grid: dense codes or sparse ones, decoded for float inputs, exact with integer inputs."""

import math
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from nncomp.formats import Grid
from nncomp.weights.codes import Products
from nncomp.weights.dense import Dense
from nncomp.weights.looked_up import LookedUp, looks_up
from nncomp.weights.mantissa import Mantissa
from nncomp.weights.packed import PackedCodes
from nncomp.weights.per_block import by_block, per_code
from nncomp.weights.protocol import check_input, check_shape
from nncomp.weights.recoded import doubled, scaled
from nncomp.weights.sparse import Sparse


@dataclass(frozen=True, eq=False)
class Quantized:
    """`W = (codes - zero_point) * scale`, where codes are kept; a weight absent from sparse codes is exactly 0.

    `codes`: an integer array (out, in), `PackedCodes` or a `Sparse` of such integers; `grid`: what they stand for.
    Fine-tuning a quantized network leaves the codes and moves the scales, each by its `Mantissa`.

    >>> from nncomp.formats import Uniform
    >>> grid = Grid(Uniform(), np.array([[0.5]]))
    >>> Quantized(np.array([[4, -2]], np.int8), grid).dense()
    array([[ 2., -1.]])
    """

    codes: np.ndarray | Sparse | PackedCodes
    grid: Grid

    def __post_init__(self) -> None:
        check_shape(self.codes.shape)
        if self.codes.dtype != self.grid.format.dtype:
            raise ValueError(f"codes of {self.grid.format} are {self.grid.format.dtype}, not {self.codes.dtype}")
        self.grid.check(self.codes.shape)
        low, high, kept = self.grid.format.qmin, self.grid.format.qmax, self._kept
        if kept.size and (kept.min() < low or kept.max() > high):
            raise ValueError(f"codes from {kept.min()} to {kept.max()} leave {self.grid.format}: {low} to {high}")

    @classmethod
    def of(cls, codes: np.ndarray | Sparse, grid: Grid) -> Self:
        """Dense codes, packed where they do not fill their dtype; sparse ones as they are."""
        if isinstance(codes, Sparse) or grid.format.bits in (8, 16) or codes.dtype != grid.format.dtype:
            return cls(codes, grid)  # the last is refused
        return cls(PackedCodes.of(codes, grid.format.bits), grid)

    @classmethod
    def encoded(cls, weight: Dense | Sparse, grid: Grid) -> Self:
        """The weight rounded to the grid, its pattern kept."""
        codes = grid.encode(weight.dense())
        return cls.of(Sparse.from_dense(codes, weight.mask) if isinstance(weight, Sparse) else codes, grid)

    @property
    def whole(self) -> "Quantized | None":
        """The same weight with zero points that are codes, for sums of integers: itself, or `doubled`, or None."""
        return self if self.grid.format.integer_zero else self._doubled

    @cached_property
    def _doubled(self) -> "Quantized | None":
        found = doubled(self.plain, self._steps, self.grid)
        return None if found is None else Quantized.of(*found)

    def scaled(self, factors: np.ndarray) -> "Quantized":
        """The weight whose row n is `factors[n]` times this one's, in as many codes; see `recoded.scaled`."""
        return Quantized.of(*scaled(self.plain, self.grid, factors))

    @property
    def plain(self) -> np.ndarray | Sparse:
        """The codes, unpacked: anew each time, unless the weight trains."""
        if isinstance(self.codes, PackedCodes):
            return self.__dict__.get("_unpacked", self.codes.codes)
        return self.codes

    @property
    def _kept(self) -> np.ndarray:
        """Those that are there, in their dtype."""
        codes = self.plain
        return codes.values if isinstance(codes, Sparse) else codes

    @property
    def shape(self) -> tuple[int, int]:
        return self.codes.shape

    @property
    def dtype(self) -> np.dtype:
        return self.grid.scale.dtype

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.grid.nbytes

    @property
    def multiply_adds(self) -> int:
        return self.codes.values.size if isinstance(self.codes, Sparse) else math.prod(self.shape)

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (self._mantissa.p,)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        mantissa = self._mantissa._replace(p=params[0])
        other = copy(self)  # with the powers of two, which stay while the mantissas move, and with unpacked codes
        other.__dict__.update(grid=replace(self.grid, scale=mantissa.scale), _mantissa=mantissa)
        other.__dict__["_unpacked"] = self.plain
        for name in ("_doubled", "_looked_up"):
            other.__dict__.pop(name, None)
        return other

    @cached_property
    def _mantissa(self) -> Mantissa:
        return Mantissa.of(self.grid.scale)

    @property
    def _steps(self) -> np.ndarray:
        """codes - zero_point, in floating point."""
        return self._kept.astype(self.dtype) - per_code(self.grid.zeros.astype(self.dtype), self.codes, self.grid)

    def decoded(self) -> Dense | Sparse:
        """The weight in floats, its pattern kept."""
        values = self._steps * per_code(self.grid.scale, self.codes, self.grid)
        return self.codes.with_params((values,)) if isinstance(self.codes, Sparse) else Dense(values)

    def prepared(self) -> "Quantized | Dense | Sparse":
        """Itself where a kernel multiplies floats with its few bits, which for few samples is faster; else decoded."""
        return self if self._quick else self.decoded()

    @property
    def _quick(self) -> bool:
        return isinstance(self.codes, PackedCodes) and looks_up(self.grid, self.shape)

    @cached_property
    def _looked_up(self) -> LookedUp:
        return LookedUp.of(self._kept, self.grid)

    def dense(self) -> np.ndarray:
        return self.decoded().dense()

    def apply(self, x: np.ndarray) -> np.ndarray:
        check_input(self, x)
        return self._looked_up(x) if self._quick else self.decoded().apply(x)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.decoded().apply(x), x

    def vjp(
        self, saved: np.ndarray, dy: np.ndarray, need_dx: bool = True
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...]]:
        """`dx = dy W`; `dscale = sum of dW (codes - zero_point)` over the weights sharing it, then dp."""
        dx, (dw,) = self.decoded().vjp(saved, dy, need_dx)
        dscale = by_block(dw * self._steps, self.codes, self.grid)
        return dx, (self._mantissa.gradient(dscale),)

    def masked(self, mask: np.ndarray) -> Self:
        codes = self.plain
        return replace(self, codes=codes.masked(mask) if isinstance(codes, Sparse) else Sparse.from_dense(codes, mask))

    def apply_codes(self, q: np.ndarray, grid: Grid) -> np.ndarray:
        """`y = x W.T` for the input `x = grid.decode(q)`, in integers until the scales.

            y[m, n] = sum over blocks b of  acc_b[m, n] * (x_scale[m] * w_scale[n, b])
            acc_b[m, n] = sum over k in b of  (q[m, k] - x_zero[m]) (codes[n, k] - w_zero[n, b])

        `acc` is exact: by kernel in int32 where both codes have 8 bits and int32 holds these sums, else by the
        NumPy reference in int64. It is rounded once to the scales' dtype. This is the definition of a quantized layer.
        """
        grid.check(q.shape)
        if self.whole is None or not grid.format.integer_zero:
            raise ValueError("products of codes need zero points that are codes")
        if q.shape[1] != self.shape[1] or grid.scale.shape[1] != 1:
            given = f"codes {q.shape} with scales {grid.scale.shape}"
            raise ValueError(f"{given} do not fit a weight (out, in) = {self.shape}")
        y = np.zeros((q.shape[0], self.shape[0]), self.dtype)
        for acc, scale in self.accumulate(q, grid):
            y += acc.astype(self.dtype) * (grid.scale * scale)
        return y

    def accumulate(self, q: np.ndarray, grid: Grid) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Each block's integer sums `acc (batch, out)` and weight scales (1, out or 1), of `whole`."""
        assert self.whole is not None
        sums = self.whole.products(q, np.broadcast_to(grid.zeros[:, 0], q.shape[:1]))
        return zip(sums, self.whole.grid.scale.T[:, None])

    @cached_property
    def products(self) -> Products:
        """The codes as the integer kernels read them, cut where groups end."""
        starts = range(0, self.shape[1], self.grid.group or self.shape[1])
        return Products(self.plain, starts, self.grid.zeros)
