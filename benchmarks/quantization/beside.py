"""What a few floats beside codes are worth: `python -m benchmarks.quantization beside`.

The networks of the question `networks`, whose weights alone are quantized to 2 and 3 bits by GPTQ: with outliers in
floats (SpQR), with low-rank factors of what is lost (LQER, L2QER, QERA) or taken first (SVDQuant), on other grids
(HQQ), from weights that reach less far (MagR). Bits of a weight count all that is stored, in float32 what is floats.
Each seed is a line of the result file, and what is there is not done again.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import mean
from typing import Any

from benchmarks.pruning.at_start import joined
from benchmarks.quantization.mixed import stored
from benchmarks.quantization.networks import LEARNING
from benchmarks.sweep import sweep
from benchmarks.training import SIZES
from nncomp.data import Data, load_data
from nncomp.formats import PerGroup, Uniform, divide_add_round
from nncomp.measure import accuracy
from nncomp.network import MLP
from nncomp.quantize import gptq, hqq, l2qer, lqer, spqr, svdquant
from nncomp.steps import CompressionStep, Preprocess, Quantize, compress


def ways(bits: int) -> dict[str, Sequence[CompressionStep]]:
    """Steps by what they are called in the table."""
    by_gptq = partial(Quantize, Uniform(bits), inputs=None, method=gptq)
    fitted = Uniform(bits, symmetric=False, integer_zero=False, arithmetic=divide_add_round)
    return {
        f"W{bits}, rounded": [Quantize(Uniform(bits), inputs=None)],
        f"W{bits}": [by_gptq()],
        f"W{bits} after MagR": [Preprocess(), by_gptq()],
        f"W{bits} SpQR, 1 %": [Quantize(Uniform(bits), inputs=None, method=spqr)],
        f"W{bits} LQER, rank 8": [by_gptq(rank=8, low_rank=lqer)],
        f"W{bits} L2QER, rank 8": [by_gptq(rank=8, low_rank=l2qer)],
        f"W{bits} QERA, rank 8": [by_gptq(rank=8)],
        f"W{bits} SVDQuant, rank 8": [by_gptq(rank=8, low_rank=svdquant)],
        f"W{bits} by 32": [by_gptq(per=PerGroup(32))],
        f"W{bits} by 32 HQQ": [Quantize(fitted, PerGroup(32), inputs=None, method=hqq)],
    }


WAYS = ways(2) | ways(3)


def measure(data: Data, seed: int) -> dict[str, Any]:
    """The test error of one network in floats and quantized in each way, and the bits of a weight."""
    assert data.test is not None
    network = replace(LEARNING, seed=seed)(MLP.init(SIZES, seed=seed), data.without_test())
    found: dict[str, Any] = {"float": [100 * (1 - accuracy(network, data.test)), stored(network)]}
    for name, steps in WAYS.items():
        quantized = compress(network, steps, data)
        found[name] = [100 * (1 - accuracy(quantized, data.test)), stored(quantized)]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and quantize what is missing, print the table."""
    name = "python -m benchmarks.quantization beside"
    parser = argparse.ArgumentParser(prog=name, description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results/quantization-beside.jsonl", help="file of the results")
    options = parser.parse_args(arguments)
    data = load_data("mnist", options.data)
    data = replace(data, train=joined(data.train, data.validation))
    runs = []
    for result in sweep(options.out, [{"seed": seed} for seed in options.seeds], lambda seed: measure(data, seed)):
        runs.append(result)
        print(f"seed {result['seed']}: {result['float'][0]:.2f} % in floats", flush=True)
    print(f"\n{'mean test error, and above that in floats':44}{'bits of a weight':>20}")
    for way in ("float", *WAYS):
        error, bits = (mean(run[way][k] for run in runs) for k in (0, 1))
        print(f"{way:24}{error:12.2f} ({error - mean(run['float'][0] for run in runs):+.2f}){bits:20.2f}")
