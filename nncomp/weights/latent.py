"""A float weight seen through a differentiable transform while it is being trained."""

from copy import copy
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np

from nncomp.kernels.dense import dense_matmul
from nncomp.weights.dense import Dense
from nncomp.weights.protocol import Weight, check_input


class Transform(Protocol):
    """A differentiable function of a latent weight w (out, in) and of its own trainable arrays p."""

    def init(self, w: np.ndarray) -> tuple[np.ndarray, ...]:
        """The p to start from; a ValueError for a w that does not fit."""

    def latent(self, w: np.ndarray) -> np.ndarray:
        """The w to start from, where w' is to be near a given weight."""

    def forward(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> tuple[np.ndarray, Any]:
        """The effective weight w' (out, in), and what `vjp` needs."""

    def vjp(self, p: tuple[np.ndarray, ...], saved: Any, g: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """`(dp, dw)` from the gradient g at w'."""

    def store(self, p: tuple[np.ndarray, ...], w: np.ndarray) -> Weight:
        """The form to ship; its `dense()` is w' bit for bit."""

    def masked(self, mask: np.ndarray) -> "Transform":
        """The transform whose w' is 0 where `mask` is False."""


@runtime_checkable
class Noisy(Transform, Protocol):
    """A transform that trains by chance: each batch meets weights, or outputs, drawn anew around `forward`'s."""

    def sample(
        self, p: tuple[np.ndarray, ...], w: np.ndarray, x: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, Any]:
        """A product y (batch, out) of the inputs x (batch, in) with weights drawn from `rng`, and what is saved."""

    def sample_vjp(
        self, p: tuple[np.ndarray, ...], w: np.ndarray, saved: Any, dy: np.ndarray, need_dx: bool = True
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...], np.ndarray]:
        """`(dx, dp, dw)` from the gradient dy at y, the draw held constant."""


class Drawn(NamedTuple):
    """What `sample` saved, told from what `forward` does."""

    saved: Any


@dataclass(frozen=True, eq=False)
class Latent:
    """`W = transform.forward(p, w)`. Its gradient is at p and w; `store` turns it into the form that ships.

    >>> from nncomp.transforms import Masked
    >>> weight = Latent.of(Masked(np.array([[True, False]])), np.array([[3.0, 4.0]]))
    >>> weight.dense(), type(weight.store()).__name__
    (array([[3., 0.]]), 'Sparse')
    """

    transform: Transform
    p: tuple[np.ndarray, ...]
    w: np.ndarray

    def __post_init__(self) -> None:
        Dense(self.w)  # the same demands on shape and dtype
        shapes = [p.shape for p in self.transform.init(self.w)]
        if [p.shape for p in self.p] != shapes:
            name = type(self.transform).__name__
            raise ValueError(f"{name} has arrays of shapes {shapes}, not {[p.shape for p in self.p]}")

    @classmethod
    def of(cls, transform: Transform, w: np.ndarray) -> Self:
        """`w (out, in)` behind `transform`, with the transform's own start for p."""
        return cls(transform, transform.init(w), w)

    @property
    def shape(self) -> tuple[int, int]:
        return self.w.shape

    @property
    def dtype(self) -> np.dtype:
        return self.w.dtype

    @property
    def nbytes(self) -> int:
        return (
            self.w.nbytes
            + sum(p.nbytes for p in self.p)
            + sum(field.nbytes for field in vars(self.transform).values() if isinstance(field, np.ndarray))
        )

    @property
    def multiply_adds(self) -> int:
        return self.w.size

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        return (*self.p, self.w)

    def with_params(self, params: tuple[np.ndarray, ...]) -> Self:
        other = copy(self)  # what was checked when it was made still fits: training does this at every update
        other.__dict__.update(p=tuple(params[:-1]), w=params[-1])
        return other

    def dense(self) -> np.ndarray:
        return self.transform.forward(self.p, self.w)[0]

    def apply(self, x: np.ndarray) -> np.ndarray:
        return self.forward(x)[0]

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, Any]:
        check_input(self, x)
        effective, saved = self.transform.forward(self.p, self.w)
        return dense_matmul(x, effective), (x, effective, saved)

    def sample(self, x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Any]:
        """`forward` of weights drawn from `rng`, if the transform is one that trains by chance."""
        if not isinstance(self.transform, Noisy):
            return self.forward(x)
        check_input(self, x)
        y, saved = self.transform.sample(self.p, self.w, x, rng)
        return y, Drawn(saved)

    def vjp(self, saved: Any, dy: np.ndarray, need_dx: bool = True) -> tuple[np.ndarray | None, tuple[np.ndarray, ...]]:
        """The gradient of the effective weight, `g = dy.T x`, handed to the transform."""
        if isinstance(saved, Drawn) and isinstance(self.transform, Noisy):
            dx, dp, dw = self.transform.sample_vjp(self.p, self.w, saved.saved, dy, need_dx)
            return dx, (*dp, dw)
        x, effective, inner = saved
        dp, dw = self.transform.vjp(self.p, inner, dy.T @ x)
        return (dy @ effective if need_dx else None), (*dp, dw)

    def masked(self, mask: np.ndarray) -> Self:
        return replace(self, transform=self.transform.masked(mask))

    def prepared(self) -> Dense:
        return Dense(self.dense())

    def store(self) -> Weight:
        """The form to ship: `store().dense()` equals `dense()` bit for bit."""
        return self.transform.store(self.p, self.w)
