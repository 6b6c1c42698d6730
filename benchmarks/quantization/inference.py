"""Whole quantized networks end to end, floats in and out: `python -m benchmarks.quantization inference`.

A 784-300-100-10 and a 784-1024-1024-1024-10 with ReLU, weights drawn at random, int8 by row, inputs uint8, calibrated
on random images: in integers alone (`IntegerMLP`), beside ONNX Runtime on the same network exported as QDQ and as
QGemm, on its float graph, and PyTorch's quantized modules (x86 engine). Before any timing ONNX Runtime must give the
same outputs, PyTorch and floats must lie within six steps of the outputs' grid. Also, with less to do: 95 % of the
weights pruned; and signs for weights and for hidden layers' inputs (XNOR). One thread; rivals take turns in one run.
"""

import argparse
import json
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import numpy as np
import onnxruntime
import torch

from benchmarks.timing import interleaved, machine, on_threads
from nncomp.calibration import calibrate
from nncomp.data import Data, Split
from nncomp.formats import Uniform
from nncomp.integers import IntegerMLP
from nncomp.interchange import to_onnx
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.steps import Prune, Quantize
from nncomp.transforms import XNOR
from nncomp.weights import Latent

NETWORKS = {"784-300-100-10": [784, 300, 100, 10], "784-3x1024-10": [784, 1024, 1024, 1024, 10]}
BATCHES = (1, 16, 256)
BYTES = Uniform(signed=False, symmetric=False)
OURS, RIVALS = "integers alone", ("ONNX Runtime, QDQ", "ONNX Runtime, QGemm", "ONNX Runtime, floats", "PyTorch, int8")
Forward = Callable[[np.ndarray], np.ndarray]


def images(n: int, seed: int) -> np.ndarray:
    """Random pixels, four fifths of them 0."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((n, 784)) < 0.8, 0, rng.random((n, 784))).astype(np.float32)


def forwards(sizes: list[int]) -> dict[str, Forward]:
    """What each rival computes of a batch, as ready to run as it can be made beforehand."""
    x = images(500, 0)
    data = Data(Split(x, np.zeros(len(x), int)), Split(x[:10], np.zeros(10, int)))
    network = MLP.init(sizes)
    integers = IntegerMLP.of(Quantize()(network, data), x)
    sparse = IntegerMLP.of(Quantize()(Prune(0.95)(network, data), data), x)
    found: dict[str, Forward] = {
        OURS: integers,
        "ONNX Runtime, QDQ": runtime(to_onnx(integers)),
        "ONNX Runtime, QGemm": runtime(to_onnx(integers, integers=True)),
        "ONNX Runtime, floats": runtime(to_onnx(network)),
        "PyTorch, int8": torch_int8(network, x),
        "floats": network,
        "95 % pruned": sparse,
        "signs": IntegerMLP.of(of_signs(network, x), x),
    }
    _check(found, integers, images(64, 1))
    return found


def of_signs(network: MLP, x: np.ndarray) -> MLP:
    """Weights of 1 bit, pixels of 8, inputs of hidden layers of 1."""

    def signed(layer: Linear) -> Linear:
        return Linear(Latent.of(XNOR(), layer.weight.dense()).store(), layer.bias, layer.activation)

    return calibrate(network.with_layers(signed), x, Uniform(1, signed=False, symmetric=False), first=BYTES)


def runtime(model: Any) -> Forward:
    """ONNX Runtime on a graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def torch_int8(network: MLP, x: np.ndarray) -> Forward:
    """PyTorch's static quantization of the same weights, in eager mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.backends.quantized.engine = "x86"
        layers: list[torch.nn.Module] = [torch.ao.quantization.QuantStub()]
        for i, layer in enumerate(network.layers):
            linear = torch.nn.Linear(layer.weight.shape[1], layer.weight.shape[0])
            linear.weight.data, linear.bias.data = torch.from_numpy(layer.weight.dense()), torch.from_numpy(layer.bias)
            layers += [linear] if i == len(network.layers) - 1 else [linear, torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers, torch.ao.quantization.DeQuantStub()).eval()
        model.qconfig = torch.ao.quantization.get_default_qconfig("x86")
        fused = [[str(i), str(i + 1)] for i in range(1, len(layers) - 1, 2)]
        model = torch.ao.quantization.fuse_modules(model, fused)
        torch.ao.quantization.prepare(model, inplace=True)
        with torch.inference_mode():
            model(torch.from_numpy(x))
        torch.ao.quantization.convert(model, inplace=True)

    def forward(x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(x)).numpy()

    return forward


def _check(found: dict[str, Forward], integers: IntegerMLP, x: np.ndarray) -> None:
    y, step = integers(x), float(integers.layers[-1].output.scale[0, 0])
    for name in ("ONNX Runtime, QDQ", "ONNX Runtime, QGemm"):
        if not np.array_equal(found[name](x), y):
            raise AssertionError(f"{name} gives other codes than ours")
    for name in ("PyTorch, int8", "ONNX Runtime, floats"):
        if not np.abs(found[name](x) - y).max() <= 6 * step:
            raise AssertionError(f"{name} is {np.abs(found[name](x) - y).max() / step:.1f} steps away")


def records(rounds: int) -> list[dict[str, Any]]:
    """The median seconds of each, for each network and batch."""
    found = []
    for name, sizes in NETWORKS.items():
        each = forwards(sizes)
        for batch in BATCHES:
            x = images(batch, 2)
            tasks = {rival: partial(forward, x) for rival, forward in each.items()}
            seconds = interleaved(tasks, rounds, least=0.02)
            found.append({"network": name, "batch": batch} | {rival: median(times) for rival, times in seconds.items()})
    return found


def lines(results: Sequence[dict[str, Any]]) -> list[str]:
    """Microseconds of ours, and of every other how many times as long it takes."""
    others = [key for key in results[0] if key not in ("network", "batch", OURS)]
    told = [f"{'':22}{'us':>9}  " + "".join(f"{name.replace('ONNX Runtime', 'ORT'):>15}" for name in others)]
    for r in results:
        ratios = "".join(f"{r[name] / r[OURS]:15.2f}" for name in others)
        told.append(f"{r['network']:16}{r['batch']:6}{1e6 * r[OURS]:9.1f}  {ratios}")
    best = [min(r[rival] for rival in RIVALS) / r[OURS] for r in results]
    return [
        *told,
        f"\nthe best of {', '.join(RIVALS)}: {geometric_mean(best):.2f} times as long, {min(best):.2f} at least",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Check, time, print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quantization inference", description=__doc__.split(":")[0]
    )
    parser.add_argument("--rounds", type=int, default=9, help="turns of each rival")
    parser.add_argument("--json", help="file to write the medians to")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with on_threads(1):
        results = records(options.rounds)
        print("seconds of a batch, and how many times as long others take; one thread;", machine()["cpu"])
        print(*lines(results), sep="\n")
    if options.json:
        Path(options.json).write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")
