"""Only the kept weights stored, in compressed rows; every product runs on the masked kernels."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from nncomp.kernels.pattern import Kept, Pattern, sparse_pack
from nncomp.kernels.sparse import masked_input_grad, masked_matmul
from nncomp.kernels.weight_grad import masked_weight_grad
from nncomp.weights.protocol import check_gradient, check_input, check_mask, check_shape


@dataclass(frozen=True, eq=False)
class Sparse:
    """Row i holds `values[row_start[i]:row_start[i+1]]` at rising `columns[...]`; a weight that is absent is 0.

    `values`: float32 or float64, or the integer codes inside a `Quantized`. `columns`, `row_start`: the smallest
    unsigned dtypes that hold them. Whatever breaks the pattern raises here, before any kernel can read out of bounds.

    >>> w = Sparse.from_dense(np.array([[0.0, 2.0, 0.0], [3.0, 0.0, 4.0]]))
    >>> w.columns, w.row_start, w.apply(np.array([[1.0, 10.0, 100.0]]))
    (array([1, 0, 2], dtype=uint8), array([0, 1, 3], dtype=uint8), array([[ 20., 403.]]))
    """

    values: np.ndarray
    columns: np.ndarray
    row_start: np.ndarray
    inputs: int

    def __post_init__(self) -> None:
        values, columns, start = self.values, self.columns, self.row_start
        check_shape(self.shape)
        if not (values.ndim == columns.ndim == start.ndim == 1 and values.size == columns.size):
            raise ValueError(f"compressed rows need one column per value: {values.shape} {columns.shape} {start.shape}")
        numbers = ("f4", "f8", "i1", "u1", "i2", "u2")
        if not (columns.dtype.kind == start.dtype.kind == "u" and values.dtype.str[1:] in numbers):
            raise ValueError(
                f"columns and row starts are unsigned, values numbers: {columns.dtype} {start.dtype} {values.dtype}"
            )
        if not (isinstance(self.inputs, int) and all(a.dtype.isnative for a in (values, columns, start))):
            raise ValueError(f"{self.inputs} inputs is not a whole number, or an array has a foreign byte order")
        if self.inputs - 1 > np.iinfo(columns.dtype).max:
            raise ValueError(f"columns of {columns.dtype} cannot tell {self.inputs} inputs apart")
        if start[0] != 0 or start[-1] != values.size or (start[1:] < start[:-1]).any():
            raise ValueError(f"row starts must rise from 0 to the {values.size} values, not {start[0]} to {start[-1]}")
        if columns.size and columns.max() >= self.inputs:
            raise ValueError(f"column {columns.max()} in a weight of {self.inputs} inputs")
        rising = columns[1:] > columns[:-1]
        first = start[:-1][(start[1:] > start[:-1]) & (start[:-1] > 0)]  # the values at which a later row begins
        rising[first - 1] = True
        if not rising.all():
            raise ValueError(f"columns must rise within a row; they do not at value {int(np.argmin(rising)) + 1}")
        for name in ("columns", "row_start"):  # what was checked is kept: nobody else can change it
            own = getattr(self, name)
            if own.flags.writeable or not own.flags.owndata:
                own = own.copy()
                own.flags.writeable = False
            object.__setattr__(self, name, own)

    @classmethod
    def from_dense(cls, w: np.ndarray, mask: np.ndarray | None = None) -> Self:
        """Keep `w (out, in)` where `mask` is True (where w is not 0 if there is none); a kept weight may be 0."""
        mask = w != 0 if mask is None else mask
        check_mask(w.shape, mask)
        return cls.at(w[mask], np.flatnonzero(mask), w.shape)

    @classmethod
    def at(cls, values: np.ndarray, places: np.ndarray, shape: tuple[int, int]) -> Self:
        """Keep `values` at these places of a matrix (out, in), counted row by row, rising.

        >>> Sparse.at(np.array([2.0, 3.0]), np.array([1, 3]), (2, 3)).dense()
        array([[0., 2., 0.],
               [3., 0., 0.]])
        """
        out, inputs = shape
        smallest = np.min_scalar_type
        return cls(
            values,
            (places % inputs).astype(smallest(max(inputs - 1, 0))),
            np.searchsorted(places, np.arange(out + 1) * inputs).astype(smallest(places.size)),
            inputs,
        )

    @property
    def shape(self) -> tuple[int, int]:
        return self.row_start.size - 1, self.inputs

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.columns.nbytes + self.row_start.nbytes

    @property
    def multiply_adds(self) -> int:
        return self.values.size

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (self.values,)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        if params[0].shape != self.values.shape:
            raise ValueError(f"{self.values.size} kept values, not {params[0].shape}")
        other = object.__new__(type(self))  # the pattern was checked when it was made: training does this every update
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        other.__dict__.update(told, pattern=self.pattern, values=params[0])
        return other

    @cached_property
    def pattern(self) -> Pattern:
        """The pattern as the masked kernels read it, shared by all weights that differ in their values alone."""
        return Pattern(self.columns, self.row_start, self.inputs)

    @property
    def places(self) -> np.ndarray:
        """Where each value stands in the matrix, counted row by row: int64."""
        return self.rows.astype(np.int64) * self.inputs + self.columns

    @property
    def rows(self) -> np.ndarray:
        """The row of each value."""
        return self.pattern.rows

    @property
    def taken(self) -> np.ndarray:
        """The values that products take."""
        return self.values

    @cached_property
    def _kept(self) -> Kept:
        """The values as the kernel reads them."""
        return sparse_pack(self.taken, self.pattern)

    @property
    def mask(self) -> np.ndarray:
        """True where a weight is kept, (out, in)."""
        mask = np.zeros(self.shape, bool)
        mask[self.rows, self.columns] = True
        return mask

    def dense(self) -> np.ndarray:
        w = np.zeros(self.shape, self.dtype)
        w[self.rows, self.columns] = self.taken
        return w

    def apply(self, x: np.ndarray) -> np.ndarray:
        check_input(self, x)
        return masked_matmul(x, self._kept)

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.apply(x), x

    def vjp(
        self, saved: np.ndarray, dy: np.ndarray, need_dx: bool = True
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...]]:
        """`dx = dy W`, and `dW = dy.T x` at the kept weights only."""
        check_gradient(self, saved, dy)
        dx = masked_input_grad(dy, self.taken, self.pattern) if need_dx else None
        return dx, (masked_weight_grad(saved, dy, self.pattern),)

    def moved(self, places: np.ndarray) -> "Sparse":
        """The values that stay where they are, and 0 at the places that are new; of as many, counted as `at` does."""
        before, values = self.places, np.zeros(places.size, self.dtype)
        values[np.isin(places, before)] = self.values[np.isin(before, places)]
        return Sparse.at(values, places, self.shape)

    def masked(self, mask: np.ndarray) -> Self:
        check_mask(self.shape, mask)
        return self.from_dense(self.dense(), mask & self.mask)

    def column_block(self, start: int, stop: int) -> Self:
        """The columns from `start` to `stop`, numbered anew."""
        return self.from_dense(self.dense()[:, start:stop], self.mask[:, start:stop])

    def prepared(self) -> Self:
        return self

    def scaled(self, factors: np.ndarray) -> Self:
        """The weight whose row n is `factors[n]` times this one's."""
        return self.with_params((self.values * factors[self.rows],))
