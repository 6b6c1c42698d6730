"""What nncomp computes by hand, written again in torch's operations, so that autograd supplies the gradients."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pytest

from nncomp import activations
from nncomp.activations import Activation
from nncomp.formats import Grid, PerGroup, PerTensor, Uniform
from nncomp.formats.granularity import Granularity
from nncomp.layer import InputQuantizer, Linear
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.quantize import Dynamic, Percentile, minmax
from nncomp.quantize.ranges import Range
from nncomp.transforms import FakeQuantize, Masked
from nncomp.weights import Dense, Latent, LowRank, Quantized, Sparse, Sum, Weight

T = TypeVar("T")
torch = pytest.importorskip("torch")
F = torch.nn.functional

ACTIVATIONS = {
    activations.Identity: lambda f, z: z,
    activations.ReLU: lambda f, z: F.relu(z),
    activations.LeakyReLU: lambda f, z: F.leaky_relu(z, f.slope),
    activations.Tanh: lambda f, z: torch.tanh(z),
    activations.Sigmoid: lambda f, z: torch.sigmoid(z),
    activations.SiLU: lambda f, z: F.silu(z),
    activations.GELU: lambda f, z: F.gelu(z),
    activations.GELUTanh: lambda f, z: F.gelu(z, approximate="tanh"),
    activations.Softmax: lambda f, z: F.softmax(z, dim=-1),
    activations.LogSoftmax: lambda f, z: F.log_softmax(z, dim=-1),
}

ACCURATE = {  # torch computes both with 1 + f(z), which leaves few digits of a negative z; here are all of them
    activations.GELU: lambda f, z: z * torch.special.erfc(-z / 2**0.5) / 2,
    activations.GELUTanh: lambda f, z: z * torch.sigmoid(2 * (2 / torch.pi) ** 0.5 * (z + 0.044715 * z**3)),
}


def leaf(a: np.ndarray) -> "torch.Tensor":
    """A tensor of its own that gradients are wanted for."""
    return torch.tensor(a, requires_grad=True)


def assert_close(ours: np.ndarray, theirs: "torch.Tensor", relative: float = 1e-10, norm: float | None = None) -> None:
    """The norm of the difference is at most `relative` times the norm of torch's answer, or times the `norm` given."""
    expected = theirs.detach().numpy()
    assert ours.shape == expected.shape
    assert ours.dtype == expected.dtype
    assert np.linalg.norm(ours - expected) <= relative * (np.linalg.norm(expected) if norm is None else norm)


def activate(activation: Activation, z: "torch.Tensor") -> "torch.Tensor":
    """The activation as torch has it."""
    return ACTIVATIONS[type(activation)](activation, z)


def normalize(
    norm: BatchNorm, gamma: "torch.Tensor", beta: "torch.Tensor", z: "torch.Tensor", training: bool
) -> tuple["torch.Tensor", "torch.Tensor", "torch.Tensor"]:
    """`torch.nn.functional.batch_norm`; returns the output and the running statistics it leaves."""
    mean, var = torch.tensor(norm.mean), torch.tensor(norm.var)
    return F.batch_norm(z, mean, var, gamma, beta, training, norm.momentum, norm.eps), mean, var


def spread(block_values: "torch.Tensor", group: int | None, columns: int) -> "torch.Tensor":
    """One value per block of columns -> one per column."""
    return block_values if group is None else block_values.repeat_interleave(group, dim=1)[:, :columns]


def fitted(
    x: "torch.Tensor", format: Uniform, per: Granularity, ranges: Range, mask: np.ndarray | None = None
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Scale and zero point of the grid that covers x, each broadcasting over x: the textbook formulas, anew.

    What the mask leaves out has no say in a percentile.
    """
    group = per.group if isinstance(per, PerGroup) else None
    blocks = [x.reshape(1, -1)] if isinstance(per, PerTensor) else x.split(group or x.shape[1], dim=1)
    if ranges is minmax:
        bounds = [(b.amin(1), b.amax(1)) for b in blocks]
    else:
        assert isinstance(ranges, Percentile)
        counted = x if mask is None else torch.where(torch.tensor(mask), x, torch.nan)
        blocks = [counted.reshape(1, -1)] if isinstance(per, PerTensor) else counted.split(group or x.shape[1], dim=1)
        ends = 1 - ranges.percent / 100, ranges.percent / 100
        bounds = [tuple(b.nanquantile(end, 1).nan_to_num(0.0) for end in ends) for b in blocks]
    low, high = (torch.stack(side, dim=1) for side in zip(*bounds))
    low, high = low.clamp(max=0), high.clamp(min=0)
    if format.symmetric:
        scale, zero = torch.maximum(-low, high) / (format.qmax - format.middle), torch.full_like(low, format.middle)
    else:
        scale = (high - low) / (format.qmax - format.qmin)
    scale = torch.where(scale == 0, 1.0, scale)
    if not format.symmetric:
        zero = torch.round(format.qmin - low / scale).clamp(format.qmin, format.qmax)
    return spread(scale, group, x.shape[1]), spread(zero, group, x.shape[1])


def straight_through(x: "torch.Tensor", scale: "torch.Tensor", zero: "torch.Tensor", format: Uniform) -> "torch.Tensor":
    """x on the grid, with the identity's gradient where it does not saturate and none where it does."""
    q = torch.round(x / scale) + zero
    decoded = ((q.clamp(format.qmin, format.qmax) - zero) * scale).detach()
    return torch.where((q >= format.qmin) & (q <= format.qmax), x + (decoded - x).detach(), decoded)


def power_of_two(scale: np.ndarray) -> np.ndarray:
    """The largest power of two that is not above each scale."""
    return 2 ** np.floor(np.log2(scale))


def weight_leaves(weight: Weight) -> list["torch.Tensor"]:
    """What torch trains of a weight: the mantissas, from 1 to 2, of the scales of codes; factors; else all of it."""
    match weight:
        case Quantized():
            return [leaf(weight.grid.scale / power_of_two(weight.grid.scale))]
        case Latent():
            return [leaf(weight.w)]
        case LowRank(A=A, B=B):
            return [*weight_leaves(A), *weight_leaves(B)]
        case Sum(parts=parts):
            return [one for part in parts for one in weight_leaves(part)]
    return [leaf(weight.dense())]


def by_part(weight: Sum | LowRank, values: Sequence[T]) -> list[tuple[Weight, Sequence[T]]]:
    """Each part, or factor, with what belongs to its params."""
    parts: tuple[Weight, ...] = weight.parts if isinstance(weight, Sum) else (weight.A, weight.B)
    ends = np.cumsum([len(part.params) for part in parts])
    return [(part, values[end - len(part.params) : end]) for part, end in zip(parts, ends)]


def matrix(weight: Weight, leaves: Sequence["torch.Tensor"]) -> "torch.Tensor":
    """W (out, in) as a function of `weight_leaves(weight)`; masked weights are a product with the mask."""
    w = leaves[0]
    match weight:
        case Sum():
            return sum(matrix(part, its) for part, its in by_part(weight, leaves))
        case LowRank():
            A, B = (matrix(factor, its) for factor, its in by_part(weight, leaves))
            return A @ B
        case Dense():
            return w
        case Sparse():
            return w * torch.tensor(weight.mask)
        case Quantized(codes=codes, grid=grid):
            sparse = isinstance(codes, Sparse)
            kept = torch.tensor(codes.mask) if sparse else 1
            steps = torch.tensor((codes.dense() if sparse else codes).astype(float))
            zero, scale = torch.tensor(grid.zeros.astype(float)), w * torch.tensor(power_of_two(grid.scale))
            return (steps - spread(zero, grid.group, steps.shape[1])) * spread(scale, grid.group, steps.shape[1]) * kept
        case Latent(transform=Masked(mask=mask)):
            return w * torch.tensor(mask)
        case Latent(transform=FakeQuantize(format=format, per=per, ranges=ranges, mask=mask)):
            kept = 1 if mask is None else torch.tensor(mask)
            return straight_through(w * kept, *fitted((w * kept).detach(), format, per, ranges, mask), format) * kept
    raise NotImplementedError(type(weight).__name__)


def on_input_grid(quantizer: InputQuantizer | None, x: "torch.Tensor") -> "torch.Tensor":
    """The input as a layer with this quantizer sees it in training."""
    match quantizer:
        case Grid():
            return straight_through(x, torch.tensor(quantizer.scale), torch.tensor(quantizer.zeros), quantizer.format)
        case Dynamic(format=format, per=per, ranges=ranges):
            return straight_through(x, *fitted(x.detach(), format, per, ranges), format)
    return x


class TorchNetwork:
    """An `MLP` as a torch graph: `leaves[i]` are layer i's trainable tensors, in the order of `network.params[i]`."""

    def __init__(self, network: MLP) -> None:
        self.layers = network.layers
        self.leaves = [
            [*weight_leaves(layer.weight), *(leaf(p) for p in layer.params[len(layer.weight.params) :])]
            for layer in self.layers
        ]

    def outputs(self, x: np.ndarray, training: bool, dropped: Sequence[np.ndarray | None] = ()) -> list["torch.Tensor"]:
        """The output of every layer; `dropped` holds the factors that dropout puts on each layer's inputs."""
        a, out = torch.tensor(x), []
        for i, (layer, leaves) in enumerate(zip(self.layers, self.leaves)):
            factors = dropped[i] if dropped else None
            a = self._layer(layer, leaves, a if factors is None else a * torch.tensor(factors), training)
            out.append(a)
        return out

    @staticmethod
    def _layer(layer: Linear, leaves: list["torch.Tensor"], x: "torch.Tensor", training: bool) -> "torch.Tensor":
        n = len(layer.weight.params)
        bias, *norm = leaves[n:]
        z = F.linear(on_input_grid(layer.input, x), matrix(layer.weight, leaves[:n]), bias)
        if layer.norm is not None:
            z, _, _ = normalize(layer.norm, *norm, z, training)
        return (ACTIVATIONS | ACCURATE)[type(layer.activation)](layer.activation, z)

    def gradients(
        self, outputs: list["torch.Tensor"], given: dict[int, np.ndarray]
    ) -> list[tuple["torch.Tensor", ...]]:
        """At the params of each layer, from those `given` at the outputs of some layers."""
        at, seeds = [outputs[i] for i in given], [torch.tensor(g) for g in given.values()]
        flat = iter(torch.autograd.grad(
            at, [p for leaves in self.leaves for p in leaves], seeds, allow_unused=True, materialize_grads=True
        ))  # fmt: skip
        per_layer = [tuple(next(flat) for _ in leaves) for leaves in self.leaves]
        return [tuple(at_params(layer.weight, grads)) for layer, grads in zip(self.layers, per_layer)]


def at_params(weight: Weight, grads: Sequence["torch.Tensor"]) -> list["torch.Tensor"]:
    """A sparse weight's gradient is wanted at the kept weights alone, row by row."""
    if isinstance(weight, Sum | LowRank):
        own = [g for part, its in by_part(weight, grads) for g in at_params(part, its)]
        return [*own, *grads[len(weight.params) :]]
    return [grads[0][torch.tensor(weight.mask)], *grads[1:]] if isinstance(weight, Sparse) else list(grads)
