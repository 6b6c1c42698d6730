"""What a pruning method may know of a network's layers."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from nncomp.curvature import cross_entropy_derivatives, hessian_diagonal, squared_error_derivatives
from nncomp.data import Split
from nncomp.layer import LayerSaved, Linear
from nncomp.layerwise import gram
from nncomp.losses import by_targets
from nncomp.network import MLP, backward, forward
from nncomp.prune import input_norms, squared_gradients
from nncomp.weights import Dense

Arrays = list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Of every layer of a network, on some samples, what the attribute's name says; each is found when asked for.

    All is as at inference, in float64, weights as they are decoded, norms by their running statistics, and without
    input grids. Derivatives are those of the cross-entropy of labels or of the squared error of values. The arrays can
    only be read.

    >>> from nncomp.data import load_data
    >>> evidence = Evidence(MLP.init([64, 32, 10]), load_data("digits").train)
    >>> [a.shape for a in evidence.g], [a.shape for a in evidence.norms]
    ([(32, 64), (10, 32)], [(64,), (32,)])
    """

    network: MLP
    samples: Split

    @cached_property
    def W(self) -> Arrays:
        """The weights (out, in), in their own dtype."""
        return _readable(layer.weight.dense() for layer in self.network.layers)

    @property
    def w(self) -> Arrays:
        """The weights (out, in)."""
        return self.W

    @property
    def X(self) -> Arrays:
        """The inputs (samples, in)."""
        return _readable([self._network.check(self.samples.x), *self.A[:-1]])

    @property
    def A(self) -> Arrays:
        """The outputs (samples, out), after the activation."""
        return _readable(saved.a for saved in self._tape)

    @property
    def x_max(self) -> Arrays:
        """The largest |x| of each input (in,)."""
        return [np.abs(X).max(axis=0) for X in self.X]

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
        for layer, saved, a in zip(reversed(self._network.layers), reversed(self._tape), reversed(self._scales)):
            dz, _ = layer.at_sums(saved, da)
            found.append(dz * a)
            da = dz @ layer.weight.dense()
        return _readable(found[::-1])

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
        found = hessian_diagonal(self._network, self.samples.x, self.samples.y, derivatives)
        return [h * a[:, None] ** 2 for (h, _), a in zip(found, self._scales)]

    @property
    def weights(self) -> Arrays:
        """The weights of all layers, in float64."""
        return _readable(W.astype(np.float64) for W in self.W)

    @property
    def gradient(self) -> Callable[[Sequence[np.ndarray]], Arrays]:
        """From weights of all layers to the gradients of the mean loss there."""

        def at(weights: Sequence[np.ndarray]) -> Arrays:
            scales = [a[:, None] for a in self._scales]
            biases = [layer.bias for layer in self._network.layers]
            folded = [(w * a, b) for w, a, b in zip(weights, scales, biases, strict=True)]
            network = self._network.with_params(folded)
            y, tape = forward(network, self.samples.x)
            found = backward(network, tape, {len(tape) - 1: by_targets(y, self.samples.y)[1]})
            return [dw * a for (dw, _), a in zip(found, scales)]

        return at

    @cached_property
    def _network(self) -> MLP:
        return self._wide.with_layers(Linear.folded)

    @cached_property
    def _wide(self) -> MLP:
        return self.network.with_layers(_in_float64)

    @cached_property
    def _scales(self) -> Arrays:
        """What folding its norm multiplies the rows of each layer by."""
        norms = [layer.norm for layer in self._wide.layers]
        return [np.ones(W.shape[0]) if norm is None else norm.affine()[0] for W, norm in zip(self.W, norms)]

    @cached_property
    def _tape(self) -> list[LayerSaved]:
        return forward(self._network, self.samples.x)[1]


def _readable(arrays: Iterable[np.ndarray]) -> Arrays:
    views = [a.view() for a in arrays]
    for view in views:
        view.flags.writeable = False
    return views


def _in_float64(layer: Linear) -> Linear:
    weight, bias = layer.weight.dense().astype(np.float64), layer.bias.astype(np.float64)
    norm = layer.norm and layer.norm.changed(lambda a: a.astype(np.float64))
    return replace(layer, weight=Dense(weight), bias=bias, norm=norm, input=None)
