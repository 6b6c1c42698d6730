"""Dense products of floats and of 8-bit codes, and the quantized layer in one pass."""

import warnings
from collections.abc import Iterator
from itertools import product

import numpy as np
import torch

from benchmarks.kernels.case import Case, Task, equals, sums
from benchmarks.kernels.onnx_graphs import dynamic_linear, matmul_integer, static_codes, static_linear
from nncomp.kernels.dense import dense_matmul
from nncomp.kernels.encode import TO_ALL, Codes
from nncomp.kernels.int8 import int8_matmul
from nncomp.kernels.linear import Layer, int8_linear, int8_linear_reference
from nncomp.kernels.pack import int8_pack

BATCHES = 1, 4, 16, 100, 128, 512, 1024
SHAPES = (784, 300), (300, 100), (100, 10), (1024, 1024), (4096, 1024), (1000, 1003)
"""(K, N)"""
UINT8 = np.dtype(np.uint8)
X_GRID, Y_GRID = (0.03, 128), (0.1, 128)


def sizes(quick: bool) -> Iterator[tuple[int, int, int]]:
    """(M, K, N)"""
    shapes, batches = (SHAPES[:1], (1, 128)) if quick else (SHAPES, BATCHES)
    for (k, n), m in product(shapes, batches):
        yield m, k, n


def int8_cases(quick: bool, threads: int) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for m, k, n in sizes(quick):
        b = rng.integers(-128, 128, (n, k)).astype(np.int8)
        packed, b_t = int8_pack(b), torch.from_numpy(b).t()
        for kind in (np.uint8, np.int8):
            a = rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, (m, k), kind, endpoint=True)
            run = matmul_integer(b, a.dtype, threads)
            rivals: dict[str, Task] = {"onnxruntime MatMulInteger": lambda run=run, a=a: run(a)}
            if kind == np.int8:
                ta, copy = torch.from_numpy(a), b_t.contiguous()
                rivals["torch._int_mm"] = lambda ta=ta, b_t=b_t: torch._int_mm(ta, b_t)
                rivals["torch._int_mm, weights (K, N)"] = lambda ta=ta, copy=copy: torch._int_mm(ta, copy)
            exact = (a.astype(np.float64) @ b.T.astype(np.float64)).astype(np.int64)
            yield Case(
                "int8_matmul", f"{np.dtype(kind)} x int8 {m} x {k} x {n}",
                lambda a=a, packed=packed: int8_matmul(a, packed), rivals, equals(exact), 2 * m * k * n, "int8",
            )  # fmt: skip


def linear_cases(quick: bool, threads: int) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for m, k, n in sizes(quick):
        w, bias = rng.standard_normal((n, k)).astype(np.float32) / 30, rng.standard_normal(n).astype(np.float32)
        scale = np.abs(w).max(axis=1) / np.float32(127)
        b, x = np.rint(w / scale[:, None]).astype(np.int8), rng.standard_normal((m, k)).astype(np.float32)
        packed, none = int8_pack(b), np.zeros(n, np.float32)
        inputs, outputs = (
            Codes(0, 255, UINT8, scale=np.array([s], np.float32), zero=np.array([z], np.int32))
            for s, z in (X_GRID, Y_GRID)
        )
        torch_layer = _torch_dynamic(w, bias)
        runs = {
            "dynamic": (Codes(0, 255, UINT8, TO_ALL), None, bias, dynamic_linear(b, scale, bias, threads)),
            "static": (inputs, None, bias, static_linear(b, scale, bias, X_GRID, threads)),
            "static, uint8 out": (inputs, outputs, none, static_codes(b, scale, X_GRID, Y_GRID, threads)),
        }
        for mode, (codes, out, added, run) in runs.items():
            layer = Layer(packed, scale, added, codes, outputs=out)
            rivals: dict[str, Task] = {"onnxruntime": lambda run=run, x=x: run(x)}
            if mode == "dynamic":
                rivals["torch dynamic quantized linear"] = lambda layer=torch_layer, x=x: layer(torch.from_numpy(x))
            expected = int8_linear_reference(x, codes, b, np.zeros(n, int), scale, added, outputs=out)
            yield Case(
                "fused_linear", f"{mode} {m} x {k} x {n}", lambda x=x, layer=layer: int8_linear(x, layer),
                rivals, equals(expected), 2 * m * k * n, "int8",
            )  # fmt: skip


def float_cases(quick: bool, threads: int) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for m, k, n in sizes(quick):
        x, w = rng.standard_normal((m, k)).astype(np.float32), rng.standard_normal((n, k)).astype(np.float32)
        tx, tw = torch.from_numpy(x), torch.from_numpy(w)
        rivals: dict[str, Task] = {"OpenBLAS": lambda x=x, w=w: x @ w.T, "torch": lambda tx=tx, tw=tw: tx @ tw.T}
        yield Case(
            "dense_matmul", f"{m} x {k} x {n}", lambda x=x, w=w: dense_matmul(x, w), rivals, sums(x, w), 2 * m * k * n,
            "float32", exact=False,
        )  # fmt: skip


def _torch_dynamic(w: np.ndarray, bias: np.ndarray) -> torch.nn.Module:
    linear = torch.nn.Linear(w.shape[1], w.shape[0])
    linear.weight.data, linear.bias.data = torch.from_numpy(w), torch.from_numpy(bias)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there will be another way to ask for it
        model = torch.nn.Sequential(linear)
        return torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)[0]
