"""The network: layers in turn, a forward pass that keeps a tape, and the backward pass along it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np

from nncomp.activations import Activation, Identity, ReLU
from nncomp.fingerprint import fingerprint
from nncomp.init import he
from nncomp.layer import LayerSaved, Linear
from nncomp.norm import BatchNorm
from nncomp.weights import Dense


@dataclass(frozen=True, eq=False, repr=False)
class MLP:
    """A multilayer perceptron: layers applied in turn.

    >>> network = MLP.init([2, 3, 1], seed=0)
    >>> network(np.ones((4, 2), np.float32)).shape
    (4, 1)
    """

    layers: tuple[Linear, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("a network has at least one layer")
        for layer in self.layers:
            if not isinstance(layer, Linear):
                raise ValueError(f"layers are Linear, not {type(layer).__name__}")
        for before, after in pairwise(self.layers):
            if before.weight.shape[0] != after.weight.shape[1] or before.weight.dtype != after.weight.dtype:
                a, b = before.weight, after.weight
                raise ValueError(f"{a.shape[0]} {a.dtype} outputs are followed by {b.shape[1]} {b.dtype} inputs")

    @classmethod
    def init(
        cls,
        sizes: Sequence[int],
        activation: Activation = ReLU(),
        init: Callable[[np.random.Generator, int, int], np.ndarray] = he,
        norm: bool = False,
        seed: int = 0,
        dtype: np.dtype | type = np.float32,
    ) -> Self:
        """A dense network with random weights; `sizes` runs from inputs to outputs; the last layer gives logits."""
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes run from inputs to outputs, each at least 1, not {list(sizes)}")
        if seed < 0:
            raise ValueError(f"a seed is at least 0, not {seed}")
        rng = np.random.default_rng(seed)
        last = len(sizes) - 2
        return cls(
            tuple(
                Linear(
                    Dense(init(rng, outputs, inputs).astype(dtype)),
                    np.zeros(outputs, dtype),
                    Identity() if i == last else activation,
                    BatchNorm.init(outputs, dtype) if norm and i != last else None,
                )
                for i, (inputs, outputs) in enumerate(pairwise(sizes))
            )
        )

    def __repr__(self) -> str:
        return f"MLP({self.sizes}, {self.fingerprint()[:8]})"

    def fingerprint(self) -> str:
        """A hash of every field of every part: two networks that print the same are the same."""
        return fingerprint(self.layers)

    @property
    def sizes(self) -> list[int]:
        """Widths from inputs to outputs."""
        return [self.layers[0].weight.shape[1], *(layer.weight.shape[0] for layer in self.layers)]

    @property
    def dtype(self) -> np.dtype:
        """The floating dtype of the first layer, which inputs are cast to."""
        return self.layers[0].weight.dtype

    @property
    def params(self) -> list[tuple[np.ndarray, ...]]:
        """The trainable arrays of each layer."""
        return [layer.params for layer in self.layers]

    def with_params(self, params: Sequence[Sequence[np.ndarray]]) -> Self:
        """The same network holding other `params`."""
        return replace(self, layers=tuple(layer.with_params(p) for layer, p in zip(self.layers, params, strict=True)))

    def copied(self) -> Self:
        """The same network, sharing none of the arrays that training changes."""
        return self.with_layers(Linear.copied)

    def with_layers(self, change: Callable[[Linear], Linear]) -> Self:
        """The network with every layer changed."""
        return replace(self, layers=tuple(change(layer) for layer in self.layers))

    def with_layer(self, i: int, layer: Linear) -> Self:
        """The network with layer i replaced."""
        return replace(self, layers=(*self.layers[:i], layer, *self.layers[i + 1 :]))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The outputs `(batch, classes)` for floats `x (batch, features)`, cast to the network's dtype."""
        x = self.check(x)
        for layer in self.layers:
            x = layer(x)
        return x

    def check(self, x: np.ndarray) -> np.ndarray:
        """`x` in the network's dtype; a ValueError unless it is floats of shape (batch, features)."""
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.sizes[0] or not np.issubdtype(x.dtype, np.floating):
            raise ValueError(f"inputs are floats (batch, {self.sizes[0]}), not {x.dtype} of shape {x.shape}")
        return x.astype(self.dtype, copy=False)


def forward(
    network: MLP, x: np.ndarray, dropout: Sequence[float] = (), rng: np.random.Generator | None = None
) -> tuple[np.ndarray, list[LayerSaved]]:
    """The outputs and the tape, one entry a layer; `tape[i].a` is the output of layer i.

    `dropout`: the rate at which the inputs of each layer are dropped, drawn from `rng`; none if empty.

    >>> network = MLP.init([3, 4, 2])
    >>> y, tape = forward(network, np.ones((5, 3), np.float32))
    >>> y.shape, [saved.a.shape for saved in tape]
    ((5, 2), [(5, 4), (5, 2)])
    """
    x = network.check(x)
    rates = list(dropout) or [0.0] * len(network.layers)
    if len(rates) != len(network.layers):
        raise ValueError(f"dropout has a rate per layer: {len(network.layers)}, not {rates}")
    tape = []
    for layer, rate in zip(network.layers, rates):
        x, saved = layer.forward(x, rate, rng)
        tape.append(saved)
    return x, tape


def backward(
    network: MLP, tape: list[LayerSaved], da: Mapping[int, np.ndarray], dz: Mapping[int, np.ndarray] = {}
) -> list[tuple[np.ndarray, ...]]:
    """Gradients at `network.params`, given those at the outputs of any of the layers, or at the activations' inputs.

    `da[i]` is the loss's gradient at `tape[i].a`, the output of layer i; the last layer's is `da[len(layers) - 1]`.
    `dz[i]` is that at `tape[i].z`, before the activation, where a loss looks there too.

    >>> network = MLP.init([3, 4, 2])
    >>> y, tape = forward(network, np.ones((5, 3), np.float32))
    >>> [[g.shape for g in layer] for layer in backward(network, tape, {1: np.ones_like(y)})]
    [[(4, 3), (4,)], [(2, 4), (2,)]]
    """
    _check_gradients(tape, da, dz)
    below: np.ndarray | None = None
    out: list[tuple[np.ndarray, ...]] = []
    for i in reversed(range(len(tape))):
        given = da.get(i)
        total = given if below is None else below if given is None else below + given
        if total is None:
            total = np.zeros_like(tape[i].a)
        below, dparams = network.layers[i].backward(tape[i], total, need_dx=i > 0, more=dz.get(i))
        out.append(dparams)
    return out[::-1]


def _check_gradients(tape: list[LayerSaved], *given: Mapping[int, np.ndarray]) -> None:
    outside = [i for gradients in given for i in gradients if not 0 <= i < len(tape)]
    if outside:
        raise ValueError(f"gradients for layers {outside} of a network with {len(tape)} layers")
    for gradients in given:
        for i, gradient in gradients.items():
            if gradient.shape != tape[i].a.shape:
                raise ValueError(f"layer {i} put out {tape[i].a.shape}; a gradient there cannot be {gradient.shape}")
