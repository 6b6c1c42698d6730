"""What a pruning method may know of a network's layers: it asks by the names of its arguments.

`wanda(W, norms)` is given each layer's weights and the lengths of its inputs, `snip(w, g)` weights and gradient,
`synflow(weights)` the weights of all layers at once. A function of your own is given what it names in the same way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import Parameter, signature
from typing import Any

import numpy as np

from nncomp.curvature import cross_entropy_derivatives, hessian_diagonal, squared_error_derivatives
from nncomp.data import Split
from nncomp.layer import LayerSaved, Linear
from nncomp.losses import by_targets
from nncomp.network import MLP, backward, forward
from nncomp.prune import gram, input_norms, squared_gradients
from nncomp.weights import Dense

Arrays = list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Of every layer of a network, on some samples, what the attribute's name says; each is found when asked for.

    Derivatives are those of the cross-entropy of labels or of the squared error of values, taken in float64 with the
    weights as they are decoded and without input grids.

    >>> from nncomp.data import load_data
    >>> evidence = Evidence(MLP.init([64, 32, 10]), load_data("digits").train)
    >>> [a.shape for a in evidence.g], [a.shape for a in evidence.norms]
    ([(32, 64), (10, 32)], [(64,), (32,)])
    """

    network: MLP
    samples: Split

    @cached_property
    def W(self) -> Arrays:
        """The weights (out, in)."""
        return [layer.weight.dense() for layer in self.network.layers]

    @property
    def w(self) -> Arrays:
        """The weights (out, in)."""
        return self.W

    @property
    def X(self) -> Arrays:
        """The inputs (samples, in)."""
        return [self._network.check(self.samples.x), *self.A[:-1]]

    @property
    def A(self) -> Arrays:
        """The outputs (samples, out), after the activation."""
        return [saved.a for saved in self._tape]

    @property
    def norms(self) -> Arrays:
        """`input_norms(X)` (in,)."""
        return [input_norms(X) for X in self.X]

    @property
    def H(self) -> Arrays:
        """`gram(X)` (in, in)."""
        return [gram(X) for X in self.X]

    @cached_property
    def dy(self) -> Arrays:
        """The gradient (samples, out) of each sample's own loss at `x W.T + bias`."""
        da = by_targets(self.A[-1], self.samples.y)[1] * len(self.samples)
        found: Arrays = []
        for layer, saved in zip(reversed(self._network.layers), reversed(self._tape)):
            dz, _ = layer.at_sums(saved, da)
            found.append(dz)
            da = dz @ layer.weight.dense()
        return found[::-1]

    @property
    def g(self) -> Arrays:
        """The gradient (out, in) of the mean loss."""
        return [dy.T @ X / len(X) for dy, X in zip(self.dy, self.X)]

    @property
    def squares(self) -> Arrays:
        """`squared_gradients(X, dy)` (out, in)."""
        return [squared_gradients(X, dy) for X, dy in zip(self.X, self.dy)]

    @property
    def h(self) -> Arrays:
        """The diagonal (out, in) of the Hessian, by `hessian_diagonal`."""
        values = np.issubdtype(self.samples.y.dtype, np.floating)
        derivatives = squared_error_derivatives if values else cross_entropy_derivatives
        return [h for h, _ in hessian_diagonal(self._network, self.samples.x, self.samples.y, derivatives)]

    @property
    def weights(self) -> Arrays:
        """The weights of all layers, in float64."""
        return [layer.weight.dense() for layer in self._network.layers]

    @property
    def gradient(self) -> Callable[[Sequence[np.ndarray]], Arrays]:
        """From weights of all layers to the gradients of the mean loss there."""

        def at(weights: Sequence[np.ndarray]) -> Arrays:
            params = [(w, *other) for w, (_, *other) in zip(weights, self._network.params, strict=True)]
            network = self._network.with_params(params)
            y, tape = forward(network, self.samples.x)
            found = backward(network, tape, {len(tape) - 1: by_targets(y, self.samples.y)[1]})
            return [dw for dw, *_ in found]

        return at

    @cached_property
    def _network(self) -> MLP:
        return self.network.with_layers(_in_float64)

    @cached_property
    def _tape(self) -> list[LayerSaved]:
        return forward(self._network, self.samples.x)[1]


def scores_of(method: Callable[..., Any], evidence: Evidence) -> Arrays:
    """What `method` says of each layer, given what it asks for.

    >>> from nncomp.prune import magnitude
    >>> [s.shape for s in scores_of(magnitude, Evidence(MLP.init([3, 2]), Split(np.ones((1, 3)), np.zeros(1, int))))]
    [(2, 3)]
    """
    given = {name: getattr(evidence, name) for name in asked(method)}
    if "weights" in given:
        return list(method(**given))
    return [method(**dict(zip(given, layer))) for layer in zip(*given.values())]


def asked(method: Callable[..., Any], *given: str) -> list[str]:
    """The names of what `method` needs besides what is `given`; a ValueError where that is not to be had.

    >>> from nncomp.prune import wanda
    >>> asked(wanda)
    ['W', 'norms']
    """
    needed = [p.name for p in signature(method).parameters.values() if p.default is Parameter.empty]
    known = [name for name in vars(Evidence) if not name.startswith("_")]
    for name in set(needed) - {*known, *given}:
        raise ValueError(f"{method!r} asks for {name!r}; it can be given {', '.join([*given, *known])}")
    return [name for name in needed if name not in given]


def _in_float64(layer: Linear) -> Linear:
    weight, bias = layer.weight.dense().astype(np.float64), layer.bias.astype(np.float64)
    norm = layer.norm and layer.norm.changed(lambda a: a.astype(np.float64))
    return replace(layer, weight=Dense(weight), bias=bias, norm=norm, input=None)
