"""All number formats on one line, and what each loses: `python -m benchmarks.formats`.

The picture: where the numbers of each format lie, up to its largest, and the signal to noise ratio of weights at the
bits that a weight takes with its share of scales. The page: the same as a table. Weights are 2^18 draws of a normal and
of a Laplace distribution, and the first layer of a 784-300-100-10 that has learned MNIST; all in rows of 768.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.training import SIZES, mnist
from nncomp import formats as f
from nncomp.learning_rate import Cosine
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.quantize.nearest import fit_grid
from nncomp.training import train

Through = Callable[[np.ndarray], np.ndarray]
"""Weights in float32 -> what is left of them after encoding and decoding."""


def scaled(format: f.Float) -> Through:
    """A float32 scale for each row, so that its largest value becomes the largest number."""

    def through(W: np.ndarray) -> np.ndarray:
        scale = np.abs(W).max(axis=1, keepdims=True) / np.float32(format.largest)
        return format.decode(format.encode(W / scale)) * scale

    return through


def uniform(bits: int, group: int) -> Through:
    """The symmetric grid, a float32 scale for each group."""

    def through(W: np.ndarray) -> np.ndarray:
        grid = fit_grid(W, f.Uniform(bits), f.PerGroup(group))
        return grid.decode(grid.encode(W))

    return through


def coded(format: f.BlockScaled | f.Codebook | f.NVFP4) -> Through:
    return lambda W: format.decode(*format.encode(W))


def packed(format: f.GGUF) -> Through:
    return lambda W: format.decode(format.encode(W))


FLOATS = {
    "float8 e5m2": f.float8_e5m2, "float8 e4m3": f.float8_e4m3fn, "float6 e3m2": f.float6_e3m2fn,
    "float6 e2m3": f.float6_e2m3fn, "float4 e2m1": f.float4_e2m1fn,
}  # fmt: skip
BLOCKS = {
    "MXFP8 e5m2": f.mxfp8_e5m2, "MXFP8 e4m3": f.mxfp8_e4m3, "MXINT8": f.mxint8, "MXFP6 e3m2": f.mxfp6_e3m2,
    "MXFP6 e2m3": f.mxfp6_e2m3, "MXFP4": f.mxfp4,
}  # fmt: skip
TABLES = {
    "NF4": f.nf4, "powers of two, 4 bits": f.Codebook(f.powers_of_two(4)),
    "sums of powers, 5 bits": f.Codebook(f.additive_powers_of_two(5)), "ternary": f.ternary, "binary": f.binary,
}  # fmt: skip
GGUFS = {
    "Q8_0": f.q8_0,
    "Q5_1": f.q5_1,
    "Q5_0": f.q5_0,
    "Q4_1": f.q4_1,
    "Q4_0": f.q4_0,
    "TQ2_0": f.tq2_0,
    "TQ1_0": f.tq1_0,
}
WAYS: dict[str, tuple[float, Through]] = {
    **{f"uniform, {b} bits by 64": (b + 0.5, uniform(b, 64)) for b in (2, 3, 4, 5, 6, 8)},
    **{name: (format.bits + 32 / 768, scaled(format)) for name, format in FLOATS.items()},
    **{name: (format.bits, coded(format)) for name, format in BLOCKS.items()},
    "NVFP4": (4.5, coded(f.nvfp4)),
    **{name: (format.bits, coded(format)) for name, format in TABLES.items()},
    **{name: (format.bits, packed(format)) for name, format in GGUFS.items()},
}
"""Bits of a weight, all scales counted, and the way there and back."""


def numbers() -> dict[str, np.ndarray]:
    """The numbers of each format that has few enough to be seen, over the largest."""
    lines = {name: format.values[np.isfinite(format.values)] for name, format in FLOATS.items()}
    lines |= {name: format.table for name, format in TABLES.items()}
    lines |= {f"uniform, {bits} bits": np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)) for bits in (2, 4, 6)}
    return {name: np.unique(values / np.abs(values).max()) for name, values in lines.items()}


def draw(found: dict[str, dict[str, float]], file: Path) -> None:
    figure = Figure(figsize=(15, 6.5), layout="constrained")
    line, noise = figure.subplots(1, 2)
    lines = numbers()
    for k, values in enumerate(lines.values()):
        line.plot(values, np.full(values.size, -k), "|", markersize=11, color=f"C{k % 10}", alpha=0.7)
    line.set_yticks(range(0, -len(lines), -1), [f"{name}: {values.size}" for name, values in lines.items()], fontsize=8)
    line.set_title("the numbers of each format over its largest, and how many there are", fontsize=10)
    for marker, kind in zip("os^", next(iter(found.values()))):
        noise.plot(
            [bits for bits, _ in WAYS.values()], [row[kind] for row in found.values()], marker, label=kind, alpha=0.6
        )
    for name, (x, y) in _apart({name: (bits, found[name]["normal"]) for name, (bits, _) in WAYS.items()}).items():
        noise.text(x + 0.06, y - 0.3, name, fontsize=6)
    noise.set_xlabel("bits of a weight, scales counted")
    noise.set_ylabel("signal to noise ratio, dB")
    noise.set_title("what is left of weights", fontsize=10)
    noise.grid(alpha=0.3)
    noise.legend(fontsize=8)
    figure.savefig(file, dpi=110)


def _apart(places: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Labels moved down until none lies on another."""
    free: dict[str, tuple[float, float]] = {}
    for name, (x, y) in sorted(places.items(), key=lambda item: -item[1][1]):
        while any(abs(x - a) < 0.9 and abs(y - b) < 0.9 for a, b in free.values()):
            y -= 0.3
        free[name] = (x, y)
    return free


def page(found: dict[str, dict[str, float]]) -> str:
    """The table in Markdown, by bits."""
    kinds = list(next(iter(found.values())))
    lines = [
        "# What each number format loses", "",
        "Signal to noise ratio in dB; `python -m benchmarks.formats` makes this page and `formats.png`.", "",
        f"| format | bits | {' | '.join(kinds)} |", f"|---|---|{'---|' * len(kinds)}",
    ]  # fmt: skip
    for name, (bits, _) in sorted(WAYS.items(), key=lambda item: -item[1][0]):
        lines.append(f"| {name} | {bits:.3g} | {' | '.join(f'{found[name][kind]:.1f}' for kind in kinds)} |")
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw weights, train some, measure, write."""
    parser = argparse.ArgumentParser(description="All number formats on one line, and what each loses.")
    parser.add_argument("--data", help="folder of MNIST's IDX files; NNCOMP_DATA if not given")
    parser.add_argument("--out", default="benchmarks/results", help="folder of the page and the picture")
    options = parser.parse_args(arguments)
    rng, data = np.random.default_rng(0), mnist(options.data)
    network = train(MLP.init(SIZES), data.train, optimizer=Adam(2e-3), schedule=Cosine(), epochs=5)
    weights = {
        "normal": rng.standard_normal(2**18)[: 768 * 341].reshape(-1, 768).astype(np.float32),
        "Laplace": rng.laplace(size=2**18)[: 768 * 341].reshape(-1, 768).astype(np.float32),
        "trained": np.ascontiguousarray(network.layers[0].weight.dense()[:, 8:776]),
    }
    found = {name: {kind: f.sqnr(W, way(W)) for kind, W in weights.items()} for name, (_, way) in WAYS.items()}
    print(page(found))
    out = Path(options.out)
    (out / "formats.md").write_text(page(found))
    draw(found, out / "formats.png")


if __name__ == "__main__":
    main()
