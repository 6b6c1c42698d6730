"""Half a step: what a guard tries after a whole one cost too much."""

from dataclasses import replace

import numpy as np

from nncomp.formats import Uniform
from nncomp.network import MLP
from nncomp.steps.factor import Factor
from nncomp.steps.prune import Prune
from nncomp.steps.quantize import Quantize
from nncomp.steps.share import Share
from nncomp.steps.step import CompressionStep


def gentler(step: CompressionStep, network: MLP) -> CompressionStep | None:
    """The same step, half as far from the `network` it is for, or None where half of it has no meaning.

    `Prune`: a sparsity midway between the network's and a higher one that is asked for. `Quantize`: twice the bits of a
    uniform grid of weights, up to 8, and so of inputs. `Share`: twice the values. `Factor`: twice the rank, an
    energy midway to all of it, or twice the budget, at most all.

    >>> from nncomp.steps import FineTune
    >>> network = MLP.init([4, 2])
    >>> gentler(Prune(0.8), network), gentler(Quantize(Uniform(3)), network), gentler(FineTune(), network)
    (Prune(sparsity=0.4), Quantize(weights=Uniform(bits=6)), None)
    """
    match step:
        case Prune() if step.sparsity > zeros(network):
            return replace(step, sparsity=(step.sparsity + zeros(network)) / 2)
        case Share():
            return replace(step, k=2 * step.k)
        case Factor(rank=int(rank)):
            return replace(step, rank=2 * rank)
        case Factor(energy=float(energy)) if energy < 1:
            return replace(step, energy=(1 + energy) / 2)
        case Factor(budget=float(budget)) if budget < 1:
            return replace(step, budget=min(1.0, 2 * budget))
        case Quantize(weights=Uniform(bits=bits)) if bits < 8 and step.through is None:
            return finer(finer(step, "weights", "weight_ranges"), "inputs", "input_ranges")
    return None


def finer(step: Quantize, name: str, ranges: str) -> Quantize:
    """With twice the bits in the uniform grid of that name, and in the range that is fitted to it."""
    grid, fitted = getattr(step, name), getattr(step, ranges)
    if not isinstance(grid, Uniform) or grid.bits >= 8:
        return step
    twice = replace(grid, bits=min(8, 2 * grid.bits))
    told = {ranges: replace(fitted, format=twice)} if getattr(fitted, "format", None) == grid else {}
    return replace(step, **{name: twice, **told})


def zeros(network: MLP) -> float:
    """The fraction of weights that are 0."""
    weights = [layer.weight.dense() for layer in network.layers]
    return 1 - sum(int(np.count_nonzero(w)) for w in weights) / sum(w.size for w in weights)
