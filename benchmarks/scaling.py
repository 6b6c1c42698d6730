"""Draw what the products cost as they grow, beside the machine's roofline: `python -m benchmarks.scaling`.

One of batch, inputs, outputs, density and threads grows, the others stay. Solid: seconds of a call. Dashed: the longer
of its operations at the peak rate, on each of its threads, and of its bytes, each moved once, at the rate at which one
thread reads memory (Williams et al. 2009); both rates are measured in the same run. What the caches hold from one call
to the next is there sooner, so small products may be faster than their dashed line.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.kernels.masked import Masked
from benchmarks.kernels.onnx_graphs import matmul_integer
from benchmarks.kernels.peaks import peaks
from benchmarks.timing import interleaved, machine, on_threads, save
from nncomp.kernels.dense import dense_matmul
from nncomp.kernels.int8 import int8_matmul
from nncomp.kernels.pack import int8_pack
from nncomp.kernels.pattern import sparse_pack
from nncomp.kernels.simd.path import CHOSEN
from nncomp.kernels.sparse import masked_matmul
from nncomp.kernels.threads import CORES

FIXED = {"batch": 256, "inputs": 1024, "outputs": 1024, "density": 0.1, "threads": 1}
AXES: dict[str, Sequence[float]] = {
    "batch": [2**i for i in range(12)],
    "inputs": [2**i for i in range(4, 14)],
    "outputs": [2**i for i in range(4, 14)],
    "density": [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0],
    "threads": range(1, CORES + 1),
}
COLORS = {"int8": "C0", "float32": "C1", "masked float32": "C2", "OpenBLAS": "C7", "ONNX Runtime int8": "C8"}


class Product(NamedTuple):
    """A call, its operations, the bytes it reads and writes at least, and which peak is its own."""

    call: Callable[[], Any]
    operations: float
    bytes: float
    peak: str | None


def products(batch: int, inputs: int, outputs: int, density: float, threads: int) -> dict[str, Product]:
    """Each product of that size; those without a peak are rivals."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((batch, inputs), np.float32), rng.standard_normal((outputs, inputs), np.float32)
    a, b = rng.integers(0, 256, x.shape, np.uint8), rng.integers(-128, 128, w.shape, np.int8)
    m, packed, run = Masked(w.shape, 1 - density), int8_pack(b), matmul_integer(b, a.dtype, threads)
    kept, operations, sums = sparse_pack(m.values, m.pattern), 2.0 * batch * w.size, 4 * batch * outputs
    floats = x.nbytes + w.nbytes + sums
    listed = x.nbytes + m.values.size * 6 + sums
    return {
        "int8": Product(lambda: int8_matmul(a, packed), operations, a.size + b.size + sums, "int8"),
        "float32": Product(lambda: dense_matmul(x, w), operations, floats, "float32"),
        "masked float32": Product(lambda: masked_matmul(x, kept), 2 * batch * m.values.size, listed, "listed float32"),
        "OpenBLAS": Product(lambda: x @ w.T, operations, floats, None),
        "ONNX Runtime int8": Product(lambda: run(a), operations, a.size + b.size + sums, None),
    }


def measure(rates: dict[str, float], rounds: int) -> Iterator[dict[str, Any]]:
    """A record for each product at each size."""
    for axis, sizes in AXES.items():
        for size in sizes:
            setting = FIXED | {axis: size}
            with on_threads(int(setting["threads"])):
                found = products(**setting)  # type: ignore[arg-type]
                for product in found.values():
                    product.call()
                seconds = interleaved({name: product.call for name, product in found.items()}, rounds, least=2e-3)
            for name, product in found.items():
                least = None
                if product.peak:
                    arithmetic = product.operations / rates[product.peak] / setting["threads"]
                    least = max(arithmetic, product.bytes / rates["read"])
                yield {"axis": axis, "size": size, "kernel": name, "seconds": median(seconds[name]), "least": least}


def draw(records: Sequence[dict[str, Any]], title: str, path: str) -> None:
    """A panel for each axis, both scales logarithmic."""
    figure = Figure(figsize=(13, 8), layout="constrained")
    panels = figure.subplots(2, 3)
    for axis, panel in zip(AXES, panels.flat):
        for name, color in COLORS.items():
            mine = [r for r in records if r["axis"] == axis and r["kernel"] == name]
            sizes = [r["size"] for r in mine]
            panel.loglog(sizes, [1e6 * r["seconds"] for r in mine], "o-", color=color, markersize=3, label=name)
            if mine[0]["least"]:
                panel.loglog(sizes, [1e6 * r["least"] for r in mine], "--", color=color, linewidth=1)
        others = ", ".join(f"{name} {value}" for name, value in FIXED.items() if name != axis)
        panel.set_title(others, fontsize=9)
        panel.set_xlabel(axis)
        panel.set_ylabel("microseconds")
        panel.grid(alpha=0.3)
        if axis == "threads":
            panel.set_xticks(list(AXES[axis]), [str(n) for n in AXES[axis]])
            panel.minorticks_off()
    handles, labels = panels.flat[0].get_legend_handles_labels()
    panels.flat[-1].axis("off")
    panels.flat[-1].legend(handles, labels, loc="center", title="solid: measured\ndashed: roofline", frameon=False)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, draw, and save."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns of each product at each size")
    parser.add_argument("--out", default="scaling", metavar="NAME", help="write NAME.png and NAME.json")
    options = parser.parse_args(arguments)
    with on_threads(1):
        rates = peaks()
    described = machine() | {"path": CHOSEN, "peaks": rates}
    records = []
    for record in measure(rates, options.rounds):
        records.append(record)
        least = f"{100 * record['least'] / record['seconds']:5.1f} % of the roofline" if record["least"] else ""
        print(f"{record['axis']:8} {record['size']:>6} {record['kernel']:18} {1e6 * record['seconds']:9.1f} us {least}")
    draw(records, f"{described['cpu']}, path {CHOSEN}", f"{options.out}.png")
    save(f"{options.out}.json", records, described)


if __name__ == "__main__":
    main()
