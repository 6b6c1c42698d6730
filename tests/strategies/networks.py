"""Whole networks: every form of weight, activation, norm and input quantizer, in any combination."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from nncomp.activations import GELU, Identity, LeakyReLU, ReLU, SiLU, Tanh
from nncomp.formats import PerRow, PerTensor
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.norm import BatchNorm
from nncomp.quantize import Dynamic, minmax
from nncomp.quantize.nearest import fit_grid
from tests.strategies.weights import STORED, byte_uniforms, fitting, seeds

Forms = Sequence[Callable[..., st.SearchStrategy[Any]]]
activations = st.sampled_from([Identity(), ReLU(), LeakyReLU(0.2), Tanh(), GELU(), SiLU()])


@st.composite
def inputs(draw: st.DrawFn, dtype: type):  # type: ignore[no-untyped-def]
    """None, a static grid, or a dynamic quantizer."""
    kind = draw(st.sampled_from(["none", "static", "row", "tensor"]))
    if kind == "none":
        return None
    format = draw(byte_uniforms)
    if kind == "static":
        return fit_grid(np.array([[-1.5, 2.5]], dtype), format, PerTensor(), minmax)
    return Dynamic(format, PerRow() if kind == "row" else PerTensor())


@st.composite
def layers(
    draw: st.DrawFn, width: int, dtype: type, quantized_inputs: bool, norms: bool, forms: Forms = STORED
) -> Linear:
    weight = draw(st.one_of([form(dtype) for form in forms]))
    weight = fitting(weight, (weight.shape[0], width))
    rng = np.random.default_rng(draw(seeds))
    out = weight.shape[0]
    norm = None
    if norms and draw(st.booleans()):
        vectors = rng.standard_normal((3, out)).astype(dtype)
        norm = BatchNorm(*vectors, (rng.random(out) + 0.5).astype(dtype))
    quantizer = draw(inputs(dtype)) if quantized_inputs else None
    return Linear(weight, rng.standard_normal(out).astype(dtype), draw(activations), norm, quantizer)


@st.composite
def networks(
    draw: st.DrawFn,
    dtype: type = np.float32,
    quantized_inputs: bool = True,
    norms: bool = True,
    forms: Forms = STORED,
) -> MLP:
    """One to three layers, their weights of these forms."""
    width = draw(st.integers(1, 8))
    chain = []
    for _ in range(draw(st.integers(1, 3))):
        chain.append(draw(layers(width, dtype, quantized_inputs, norms, forms)))
        width = chain[-1].weight.shape[0]
    return MLP(tuple(chain))
