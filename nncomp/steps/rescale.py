"""Factors of the layers' inputs as a step: SmoothQuant and AWQ, absorbed by the layers before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nncomp.data import Data
from nncomp.evidence import Evidence
from nncomp.fields import check_whole
from nncomp.hooks import Hook
from nncomp.network import MLP
from nncomp.quantize import smoothquant
from nncomp.quantize.checks import check_vector
from nncomp.scoring import asked
from nncomp.shown import shown, word
from nncomp.steps.equalize import homogeneous
from nncomp.weights import Dense


@dataclass(frozen=True, repr=False)
class Rescale:
    """`W_i s` and, in the layer before, `W_i-1 / s` and `b_i-1 / s`: the same function, that quantizes better.

    `by`: from what it asks for by the names of its arguments (`Evidence`, on the first `samples` of the training split)
    to the factors s (in,), above 0: `smoothquant`, or `partial(awq, format=..., per=...)`. The first layer's inputs
    stay as they are, since nothing before it could divide them. Layers are taken in order; as for `Equalize`, weights
    are dense floats and activations pass a factor.

    >>> from nncomp.data import load_data
    >>> network, data = MLP.init([64, 32, 10]), load_data("digits")
    >>> np.allclose(network(data.train.x), Rescale()(network, data)(data.train.x), atol=1e-5)
    True
    """

    by: Callable[..., np.ndarray] = smoothquant
    samples: int = 2048

    __repr__ = shown

    def __post_init__(self) -> None:
        asked(self.by)
        check_whole(self, samples=1)

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        layers, names = homogeneous(network), asked(self.by)
        samples = data.train.first(self.samples)
        for i in range(1, len(layers)):
            evidence = Evidence(MLP(tuple(layers)), samples)
            s = self.by(**{name: getattr(evidence, name)[i] for name in names})
            before, after = layers[i - 1], layers[i]
            check_vector(s, after.weight.shape[1], f"{word(self.by)}, layer {i}: factors")
            if not (s > 0).all():
                raise ValueError(f"{word(self.by)}, layer {i}: factors are above 0, not {s.min()}")
            s = s.astype(after.weight.dtype)
            smaller = Dense(before.weight.dense() / s[:, None])
            layers[i - 1] = replace(before, weight=smaller, bias=before.bias / s)
            layers[i] = replace(after, weight=Dense(after.weight.dense() * s))
        return MLP(tuple(layers))
