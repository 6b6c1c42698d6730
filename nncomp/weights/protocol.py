"""What a form must offer to be a layer's weight."""

from typing import Any, Protocol, Self

import numpy as np


class Weight(Protocol):
    """A matrix W (out, in), kept in some form. Immutable: what changes it returns a new one.

    `forward` keeps in `saved` what `vjp` needs; for the stored forms that is the input x itself, so that `vjp(x, dy)`
    can be called with arrays at hand. The gradient is at `params`, what the form really stores.
    """

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in)."""

    @property
    def dtype(self) -> np.dtype:
        """The floating dtype of the matrix."""

    @property
    def nbytes(self) -> int:
        """Bytes stored: values, indices, scales."""

    @property
    def multiply_adds(self) -> int:
        """Multiplications with a weight that one sample costs."""

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        """The trainable arrays."""

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        """The same form holding other `params`."""

    def dense(self) -> np.ndarray:
        """W as an array (out, in)."""

    def apply(self, x: np.ndarray) -> np.ndarray:
        """`y (batch, out) = x (batch, in) @ W.T`."""

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """`apply(x)` and what `vjp` needs of it."""

    def vjp(self, saved: Any, dy: np.ndarray, need_dx: bool = True) -> tuple[np.ndarray | None, tuple[np.ndarray, ...]]:
        """Gradients `(dx, dparams)` from the gradient `dy (batch, out)`; dx is None where it is not needed."""

    def masked(self, mask: np.ndarray) -> "Weight":
        """The form that keeps only the weights where `mask (out, in)` is True; the others are exactly 0."""

    def prepared(self) -> "Weight":
        """The form that runs fastest on float inputs, perhaps decoded; built once and kept in memory by the layer."""


def check_input(weight: Weight, x: np.ndarray) -> None:
    """Raise unless `x` is (batch, in) in the weight's dtype, which is one of floats."""
    if weight.dtype.kind != "f":
        raise ValueError(f"{weight.dtype} numbers are codes: a weight of its own only inside a Quantized")
    if x.ndim != 2 or x.shape[1] != weight.shape[1] or x.dtype != weight.dtype:
        raise ValueError(
            f"an input {x.dtype} of shape {x.shape} does not fit a weight {weight.dtype} (out, in) = {weight.shape}"
        )


def check_gradient(weight: Weight, x: np.ndarray, dy: np.ndarray) -> None:
    """Raise unless `dy` is (batch, out) in the weight's dtype for a fitting `x`: kernels do not check bounds."""
    check_input(weight, x)
    if dy.shape != (len(x), weight.shape[0]) or dy.dtype != weight.dtype:
        expected = f"{weight.dtype} {(len(x), weight.shape[0])}"
        raise ValueError(f"a gradient at the outputs is {expected}, not {dy.dtype} {dy.shape}")


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise unless `shape` is (out, in), both at least 1."""
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"a weight is a matrix (out, in) with at least one of each, not of shape {shape}")


def check_mask(shape: tuple[int, int], mask: np.ndarray) -> None:
    """Raise unless `mask` is boolean of the weight's `shape`."""
    if mask.shape != shape or mask.dtype != bool:
        raise ValueError(f"a mask for weights of shape {shape} is boolean of that shape, not {mask.dtype} {mask.shape}")
