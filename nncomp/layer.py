"""One layer: `a = activation(norm(x W.T + bias))`, its inference, its forward pass in training and its backward pass.

Calling a layer is inference, in integers where its weight and input allow it. `forward` and `backward` are for
training: a quantized input is seen through its grid in floating point, and the gradient passes straight through where
the grid does not saturate, or as the input quantizer says that trains.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol, Self

import numpy as np

from nncomp.activations import Activation, Identity
from nncomp.formats import Grid
from nncomp.integer import Pass, integer_pass
from nncomp.norm import BatchNorm, NormSaved
from nncomp.transforms import TrainedInput
from nncomp.weights import Dense, Latent, LowRank, Nested, Quantized, Sparse, Sum, Weight


class InputQuantizer(Protocol):
    """Where a layer's input grid comes from: a `Grid` is its own, `Dynamic` fits one, a `TrainedInput` learns one."""

    def grid_for(self, x: np.ndarray) -> Grid:
        """The grid for the input `x (batch, in)`."""


class LayerSaved(NamedTuple):
    """What a layer's backward pass needs of its forward pass."""

    dropped: np.ndarray | None  # the factor dropout put on each input: 0 or 1 / (1 - rate)
    inside: np.ndarray | None  # where the input grid did not saturate; the input, if the grid trains
    weight: Any
    norm: NormSaved | None
    z: np.ndarray  # before the activation
    a: np.ndarray  # after it


@dataclass(frozen=True, eq=False)
class Linear:
    """`a = activation(norm(x W.T + bias))`, with x first laid on the `input` quantizer's grid if there is one.

    >>> layer = Linear(Dense(np.array([[1.0, -1.0]])), np.array([0.5]))
    >>> layer(np.array([[3.0, 2.0]]))
    array([[1.5]])
    """

    weight: Weight
    bias: np.ndarray
    activation: Activation = Identity()
    norm: BatchNorm | None = None
    input: InputQuantizer | None = None

    def __post_init__(self) -> None:
        outputs = self.weight.shape[0]
        if self.bias.shape != (outputs,) or self.bias.dtype != self.weight.dtype:
            raise ValueError(f"a bias is {self.weight.dtype} ({outputs},), not {self.bias.dtype} {self.bias.shape}")
        if self.norm is not None:
            gamma = self.norm.gamma
            if gamma.shape != (outputs,) or gamma.dtype != self.weight.dtype:
                raise ValueError(
                    f"batch norm of {gamma.size} {gamma.dtype} features after {outputs} {self.weight.dtype} outputs"
                )
        if not isinstance(self.activation, Activation):
            raise ValueError(f"{self.activation!r} is no activation; give an instance such as ReLU()")
        if isinstance(self.input, Grid) and self.input.scale.shape != (1, 1):
            raise ValueError(f"an input grid has one scale, not {self.input.scale.shape}")
        if isinstance(self.input, Grid) and not self.input.format.integer_zero:
            raise ValueError("an input's zero point is a code: integer_zero=True")

    @property
    def params(self) -> tuple[np.ndarray, ...]:
        """The trainable arrays: the weight's, the bias, the norm's, the input quantizer's."""
        of_input = self.input.params if isinstance(self.input, TrainedInput) else ()
        return (*self.weight.params, self.bias, *(self.norm.params if self.norm else ()), *of_input)

    def with_params(self, params: Sequence[np.ndarray]) -> Self:
        """The same layer holding other `params`."""
        n = len(self.weight.params)
        after = n + 1 + (len(self.norm.params) if self.norm else 0)
        weight = self.weight.with_params(tuple(params[:n]))
        norm = self.norm.with_params(tuple(params[n + 1 : after])) if self.norm else None
        input = self.input.with_params(tuple(params[after:])) if isinstance(self.input, TrainedInput) else self.input
        return replace(self, weight=weight, bias=params[n], norm=norm, input=input)

    def copied(self) -> Self:
        """The same layer, sharing none of the arrays that training changes."""
        stored = replace(self.weight)  # type: ignore[type-var]  # as if read from a file: a training starts from there
        made = replace(self, weight=stored)
        layer = made.with_params([np.array(p, order="C") for p in made.params])
        return layer if layer.norm is None else replace(layer, norm=layer.norm.copied())

    @property
    def integer(self) -> bool:
        """Whether the layer multiplies integers: an integer weight with an input grid."""
        return self.input is not None and isinstance(self.weight, Quantized) and self.weight.whole is not None

    @cached_property
    def prepared(self) -> Weight:
        """The weight as inference runs it; kept in memory beside the stored one where it differs."""
        return self.weight if self.integer else self.weight.prepared()

    @cached_property
    def _one_pass(self) -> Pass | None:
        """The kernel that does what `__call__` says, where there is one."""
        if self.integer and self.norm is None:
            return integer_pass(self.weight, self.bias, self.activation, self.input)  # type: ignore[arg-type]
        return None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        if self._one_pass is not None and (y := self._one_pass(x)) is not None:
            return y
        if self.input is None:
            z = self.prepared.apply(x)
        else:
            grid = self.input.grid_for(x)
            q = grid.encode(x)
            z = (
                self.weight.apply_codes(q, grid)
                if self.integer and isinstance(self.weight, Quantized)
                else self.prepared.apply(grid.decode(q))
            )
        z += self.bias
        return self.activation(z if self.norm is None else self.norm.apply(z))

    def forward(
        self, x: np.ndarray, dropout: float = 0.0, rng: np.random.Generator | None = None
    ) -> tuple[np.ndarray, LayerSaved]:
        """The output in training and what `backward` needs; `dropout` is the rate at which inputs are dropped.

        `rng`: what chance draws from; without it, weights that are learned by chance are at their mean.
        """
        dropped = inside = norm_saved = None
        if dropout:
            dropped = _dropout_factors(x, dropout, rng)
            x = x * dropped
        if self.input is not None:
            seen, inside = self.input.grid_for(x).fake(x)
            x, inside = seen, x if isinstance(self.input, TrainedInput) else inside
        if rng is not None and isinstance(self.weight, Latent):
            z, weight_saved = self.weight.sample(x, rng)
        else:
            z, weight_saved = self.weight.forward(x)
        z += self.bias
        if self.norm is not None:
            z, norm_saved = self.norm.forward(z)
        a = self.activation.forward(z)
        return a, LayerSaved(dropped, inside, weight_saved, norm_saved, z, a)

    def backward(
        self, saved: LayerSaved, da: np.ndarray, need_dx: bool = True, more: np.ndarray | None = None
    ) -> tuple[np.ndarray | None, tuple[np.ndarray, ...]]:
        """Gradients at its input and `params`, from `da` at its output and, if any, `more` before its activation."""
        dz, dnorm = self.at_sums(saved, da, more)
        dinput: tuple[np.ndarray, ...] = ()
        dx, dweight = self.weight.vjp(saved.weight, dz, need_dx or isinstance(self.input, TrainedInput))
        if dx is not None and saved.inside is not None:
            if isinstance(self.input, TrainedInput):
                dx, dinput = self.input.vjp(saved.inside, dx)
            else:
                dx = dx * saved.inside
        if dx is not None and saved.dropped is not None:
            dx = dx * saved.dropped
        return dx if need_dx else None, (*dweight, dz.sum(axis=0), *dnorm, *dinput)

    def at_sums(
        self, saved: LayerSaved, da: np.ndarray, more: np.ndarray | None = None
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """The gradient at `x W.T + bias`, and those at the norm's arrays."""
        dz = self.activation.vjp(saved.z, saved.a, da)
        if more is not None:
            dz = dz + more
        if self.norm is None or saved.norm is None:
            return dz, ()
        return self.norm.vjp(saved.norm, dz)

    def stored(self) -> Self:
        """The layer with its weight, and its input quantizer, in the form they ship in."""
        weight = self.weight.store() if isinstance(self.weight, Latent | Nested | LowRank) else self.weight
        input = self.input.store() if isinstance(self.input, TrainedInput) else self.input
        return self if weight is self.weight and input is self.input else replace(self, weight=weight, input=input)

    def folded(self) -> Self:
        """The layer without its norm, which has become part of weight and bias: the same function."""
        if self.norm is None:
            return self
        if not isinstance(self.weight, Dense | Sparse | Quantized | LowRank | Sum):
            raise ValueError(f"batch norm folds into floats and codes, not {type(self.weight).__name__}")
        a, b = self.norm.affine()
        return replace(self, weight=self.weight.scaled(a), bias=a * self.bias + b, norm=None)


def _dropout_factors(x: np.ndarray, rate: float, rng: np.random.Generator | None) -> np.ndarray:
    """0 with probability `rate`, else 1 / (1 - rate): the expected input is unchanged (Srivastava et al. 2014)."""
    if not 0 <= rate < 1 or rng is None:
        raise ValueError(f"dropout needs a rate from 0 to below 1 and a generator, not {rate} and {rng}")
    return (rng.random(x.shape, dtype=np.float32) >= rate).astype(x.dtype) / x.dtype.type(1 - rate)
