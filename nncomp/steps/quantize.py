"""Quantization as a step: round the weights, fit grids to the inputs, and if asked train through both first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import NoneType
from typing import Any

import numpy as np

from nncomp.calibration import calibrate
from nncomp.data import Data
from nncomp.evidence import Evidence
from nncomp.fields import alternatives, check_whole
from nncomp.formats import Format, Grid, PerRow, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.hooks import Hook
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.quantize import Dynamic, bias_correction, minmax, qera
from nncomp.quantize.ranges import Range
from nncomp.shown import shown, word
from nncomp.steps.distill import Training, check_training
from nncomp.steps.rounding import by_method, check_low_rank, check_method, check_pairs, in_floats, shipped, with_factors
from nncomp.steps.through import Through, companions
from nncomp.transforms import FakeQuantize, Rounded, TrainedInput
from nncomp.weights import Dense, Latent, LowRank, Sparse, Weight
from nncomp.weights.latent import Transform


@dataclass(frozen=True, repr=False)
class Quantize:
    """Store the weights as integer codes and, unless `inputs` is None, multiply integers at inference.

    `weights`, `per`, `weight_ranges`: the weights' format, what shares a scale, and the range it covers; or a format
    that brings its own scales (`mxfp4`, `q4_0`, `nf4`, `float16` ...), whose products are in floats. `inputs`: the
    format of the layers' inputs, with one static grid each that covers `input_ranges` of the first `samples` training
    samples and that, with `train_inputs`, trains from there by `pact`, `learned_step` or `learned_offset` (that of the
    pixels, with `first_inputs`, is of these and stays); or a `Dynamic` quantizer, which needs no samples; or None, for
    weights only. With `during`, the network is first trained through its quantization (Jacob et al. 2018), or `through`
    another transform, which brings its own format: `LSQ` and `TQT` train scales, `TrainedEWGS` and `TrainedDSQ`
    intervals, `EWGS`, `DSQ` and `QuantizationNoise` have other gradients, `DoReFa`, `TWN`, `TTQ`, `XNOR` and
    `BinaryConnect` are for few bits, `BinaryRelax` and `PARQ` by degrees, and `A2Q` is for accumulators of few.
    Without, weights are rounded to nearest, or by `method`: from the `grid` and what else it asks for by the names of
    its arguments (`Evidence`) to codes, as `gptq`, `obq`, `k_best` do, layer after layer, each on what those before it,
    already quantized, hand on. One that asks for `format` and `per` makes its own grid: `hqq`, or `spqr`, whose
    outliers stay in floats. With a `rank`, a pair of factors of it, at most of the layer's own, stays in floats too, by
    `low_rank`: `lqer`, `l2qer` and `qera` find them of what rounding lost, `svdquant` before it. Such weights are a
    `Sum` of codes and the rest, and multiply floats; all its parts train in a `FineTune` to come. It is this step and
    no second one that does that, since the weights in floats are gone later, and the layers to come are to see the
    correction. Of a `LowRank` weight each factor is rounded to nearest, or trains through it, by its own ranges and
    scales, which no `method`, `rank` or `through` is for, and what goes from one to the other stays in floats.
    `correct_bias`: biases give the outputs on the samples the mean they would have with weights in floats
    (`bias_correction`). Batch norms train along and are folded in the end, into weights or into scales; those of shared
    or encoded weights stay.

    >>> from nncomp.data import load_data
    >>> network = Quantize()(MLP.init([64, 32, 10]), load_data("digits"))
    >>> network.layers[0].integer, network.layers[0].weight.codes.dtype
    (True, dtype('int8'))
    """

    weights: Uniform | Format = Uniform()
    per: Granularity = PerRow()
    weight_ranges: Range = minmax
    inputs: Uniform | Dynamic | None = Uniform(signed=False, symmetric=False)
    input_ranges: Range = minmax
    samples: int = 2000
    during: Training | None = None
    method: Callable[..., Any] | None = None
    correct_bias: bool = False
    through: Through | None = None
    train_inputs: Callable[[Grid], TrainedInput] | None = None
    first_inputs: Uniform | None = None
    rank: int = 0
    low_rank: Callable[..., tuple[np.ndarray, ...]] = qera

    __repr__ = shown

    def __post_init__(self) -> None:
        check_training(self.during)
        check_whole(self, samples=1, rank=0)
        expected = {
            "weights": Uniform | Format,
            "per": Granularity,
            "inputs": Uniform | Dynamic | None,
            "through": Through | None,
            "first_inputs": Uniform | None,
        }
        for name, kind in expected.items():
            if not isinstance(getattr(self, name), kind):
                names = " or ".join(each.__name__ for each in alternatives(kind) if each is not NoneType)
                raise ValueError(f"{name} is a {names}, not {getattr(self, name)!r}")
        if self.correct_bias and self.during is not None:
            raise ValueError("biases that train need no correction")
        self._check_ways()

    def _check_ways(self) -> None:
        """Raise where what is told of the weights' grids, their rounding and their training does not go together."""
        if isinstance(self.weights, Format) and (self.per, self.weight_ranges) != (PerRow(), minmax):
            raise ValueError(f"{self.weights} brings its own scales: per and weight_ranges are not for it")
        if self.first_inputs is not None and not isinstance(self.inputs, Uniform):
            raise ValueError(f"first_inputs are for static grids, not {self.inputs}")
        if any(isinstance(f, Uniform) and not f.integer_zero for f in (self.inputs, self.first_inputs)):
            raise ValueError("an input's zero point is a code: integer_zero=True")
        if not callable(self.weight_ranges) or not callable(self.input_ranges):
            raise ValueError(f"ranges are functions, not {self.weight_ranges!r} and {self.input_ranges!r}")
        if self.through is not None:
            name = type(self.through).__name__
            if (self.weights, self.per, self.weight_ranges) != (Uniform(), PerRow(), minmax):
                raise ValueError(f"{name} brings its own format: weights, per and weight_ranges are not for it")
            if self.method is not None:
                raise ValueError(f"weights train through {name} or are rounded by {word(self.method)}, not both")
        if self.train_inputs is not None and (self.during is None or not isinstance(self.inputs, Uniform)):
            raise ValueError(f"{word(self.train_inputs)} trains static grids of the inputs: `during` and a Uniform")
        if self.method is not None:
            check_method(self.method, self.weight_ranges)
            if self.during is not None or not isinstance(self.weights, Uniform):
                raise ValueError(
                    f"{word(self.method)} rounds to a uniform grid at once: no training, no {self.weights}"
                )
        if self.rank:
            check_low_rank(self.low_rank)
        if (self.during is not None) if self.rank else self.low_rank is not qera:
            raise ValueError(f"{word(self.low_rank)} finds factors of a rank of at least 1, once weights are trained")

    def __call__(self, network: MLP, data: Data, hooks: Sequence[Hook] = ()) -> MLP:
        check_pairs(network, *(name for name in ("method", "rank", "through") if getattr(self, name)))
        if self.during is not None:
            start = self._with_trained_inputs(self._with_inputs(network.with_layers(self._latent), data))
            own = companions(self.through, len(self.during.learned(data.train)))
            return self.during(start, data, (*own, *hooks)).with_layers(shipped)
        network = network.with_layers(lambda layer: in_floats(layer).folded())
        if self.method is None and not self.correct_bias and not self.rank:
            return self._with_inputs(network.with_layers(lambda layer: shipped(self._latent(layer))), data)
        samples = data.train.first(self.samples)
        for i, layer in enumerate(network.layers):
            network = network.with_layer(i, self._quantized(layer, i, Evidence(network, samples)))
        return self._with_inputs(network, data)

    def _quantized(self, layer: Linear, i: int, evidence: Evidence) -> Linear:
        """Layer i, by its evidence in a network whose layers before it are quantized."""
        if (self.method is not None or self.rank) and not isinstance(layer.weight, Dense):
            way = "by a method" if self.method is not None else "beside factors"
            raise ValueError(f"dense float weights are rounded {way}, not {type(layer.weight).__name__}")
        if self.rank:
            new = with_factors(self.low_rank, self.rank, layer, i, evidence, self._rounded)
        else:
            new = self._rounded(layer, i, evidence)
        if self.correct_bias:
            mean = evidence.X[i].mean(axis=0)
            new = replace(new, bias=bias_correction(layer.weight.dense(), new.weight.dense(), layer.bias, mean))
        return new

    def _latent(self, layer: Linear) -> Linear:
        """The layer's float weight seen through its quantization; of a product, each factor through one of its own."""
        layer = in_floats(layer)
        weight = layer.weight
        if isinstance(weight, LowRank):
            return replace(layer, weight=replace(weight, A=self._seen(weight.A), B=self._seen(weight.B)))
        return replace(layer, weight=self._seen(weight))

    def _seen(self, weight: Weight) -> Latent:
        """A matrix seen through its quantization; its pattern, if it has one, kept."""
        weight = weight.prepared()
        mask = weight.mask if isinstance(weight, Sparse) else None
        transform: Transform
        if self.through is not None:
            transform = self.through if mask is None else self.through.masked(mask)
        elif isinstance(self.weights, Format):
            transform = Rounded(self.weights, mask)
        else:
            transform = FakeQuantize(self.weights, self.per, self.weight_ranges, mask)
        return Latent.of(transform, weight.dense())

    def _rounded(self, layer: Linear, i: int, evidence: Evidence) -> Linear:
        """Layer i in codes, with its outliers if the method has any."""
        if self.method is None or not isinstance(self.weights, Uniform):
            return shipped(self._latent(layer))
        return by_method(self.method, layer, i, evidence, self.weights, self.per, self.weight_ranges)

    def _with_trained_inputs(self, network: MLP) -> MLP:
        """A grid of the pixels' own stays: its step is so small that an update of Adam's could turn its sign."""
        for i, layer in enumerate(network.layers):
            if self.train_inputs is not None and (i or self.first_inputs is None):
                assert isinstance(layer.input, Grid)
                network = network.with_layer(i, replace(layer, input=self.train_inputs(layer.input)))
        return network

    def _with_inputs(self, network: MLP, data: Data) -> MLP:
        if isinstance(self.inputs, Uniform):
            x = data.train.x[: self.samples]
            return calibrate(network, x, self.inputs, self.input_ranges, self.first_inputs)
        dynamic = self.inputs
        return network.with_layers(lambda layer: replace(layer, input=dynamic))
