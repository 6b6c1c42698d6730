"""Ranges against ONNX Runtime's calibrators: min-max, its moving average and entropy exactly, percentiles to a bin."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.formats import PerTensor
from nncomp.quantize import EntropyOnnxRuntime, Percentile, minmax, moving_average

ort = pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")
calibrate = pytest.importorskip("onnxruntime.quantization.calibrate")
Method = calibrate.CalibrationMethod

seeds = st.integers(0, 2**32 - 1)


class Batches(calibrate.CalibrationDataReader):
    """One batch after the other as the input `x` of a model."""

    def __init__(self, *batches: np.ndarray) -> None:
        self.inputs = iter([{"x": batch} for batch in batches])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.inputs, None)


def calibrator(folder: Path, method: object, **options: object) -> object:
    """A calibrator of a model that does nothing to its input but to take it through one operator."""
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 4]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "one", values[:1], values[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, folder / "model.onnx")
    return calibrate.create_calibrator(
        folder / "model.onnx", ["Relu"], str(folder / "augmented.onnx"), method, extra_options=options
    )


def theirs(calibrator, *batches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    """The range of the model's input; each batch is collected by itself."""
    for batch in batches:
        calibrator.collect_data(Batches(batch))
    low, high = calibrator.compute_data()["x"].range_value
    return np.reshape(low, (1, 1)), np.reshape(high, (1, 1))


def assert_equal(ours: tuple[np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray]) -> None:
    for a, b in zip(ours, theirs):
        np.testing.assert_array_equal(a, b, strict=True)


def samples(seed: int, shape: tuple[int, int] = (100, 4)) -> np.ndarray:
    """Values of one of several densities, in float32: of both signs, of one, far from 0, few different ones."""
    rng = np.random.default_rng(seed)
    x = [
        rng.standard_normal, rng.standard_cauchy, lambda shape: np.maximum(rng.laplace(size=shape), 0),
        lambda shape: 3 - rng.exponential(size=shape), lambda shape: rng.integers(-3, 3, shape) / 3, np.zeros, np.ones,
    ][seed % 7](shape)  # fmt: skip
    return (x * 10.0 ** rng.integers(-3, 4)).astype(np.float32)


def test_the_smallest_and_the_largest(tmp_path: Path) -> None:
    batches = [samples(seed) for seed in range(4)]
    ours = minmax(np.concatenate(batches), PerTensor())
    assert_equal(ours, theirs(calibrator(tmp_path, Method.MinMax), *batches))
    size = np.maximum(-ours[0], ours[1])
    assert_equal((-size, size), theirs(calibrator(tmp_path, Method.MinMax, symmetric=True), *batches))


def test_moving_averages(tmp_path: Path) -> None:
    """Where each batch is collected by itself; those collected together count as one, by the mean of their ends."""
    batches = [samples(7 * i) for i in range(6)]
    ours = moving_average([minmax(batch, PerTensor()) for batch in batches], rate=0.3)
    options = dict(moving_average=True, averaging_constant=0.3)
    assert_equal(ours, theirs(calibrator(tmp_path, Method.MinMax, **options), *batches))


def collected(x: np.ndarray, method: str, **options: object) -> tuple[np.ndarray, np.ndarray]:
    """The range by ONNX Runtime's collector of one batch."""
    told = dict(symmetric=False, num_bins=128, num_quantized_bins=128, percentile=99.999, scenario="same") | options
    collector = calibrate.HistogramCollector(method, **told)
    collector.collect({"x": x})
    low, high = collector.compute_collection_result()["x"][:2]
    return np.reshape(low, (1, 1)), np.reshape(high, (1, 1))


@settings(max_examples=60)
@given(seeds, st.integers(2, 40), st.integers(0, 120))
def test_entropy(seed: int, levels: int, more: int) -> None:
    x, bins = samples(seed), levels + more
    ours = EntropyOnnxRuntime(bins, levels)(x, PerTensor())
    assert_equal(ours, collected(x, "entropy", num_bins=bins, num_quantized_bins=levels))


@pytest.mark.parametrize("options", [{}, {"num_bins": 600, "num_quantized_bins": 100}], ids=str)
def test_entropy_of_a_model(tmp_path: Path, options: dict[str, int]) -> None:
    x = samples(0, (1000, 4))
    ours = EntropyOnnxRuntime(*options.values())(x, PerTensor())
    assert_equal(ours, theirs(calibrator(tmp_path, Method.Entropy, **options), x))


@given(seeds.filter(lambda seed: seed % 7 < 5), st.sampled_from([50, 75, 93.75, 98.4375, 100]), st.booleans())
def test_percentiles_are_a_bins_lower_edge(seed: int, percent: float, symmetric: bool) -> None:
    """ONNX Runtime names the lower edge of the bin that holds the value; ours lies between two neighbouring values.

    Of a symmetric range it is the percentile of |x|; else what is cut off is shared by both ends. The range ends where
    the values do. The counts make its running sums of shares exact.
    """
    x, bins = samples(seed, (64, 4)), 200
    low, high = collected(x, "percentile", percentile=percent, symmetric=symmetric, num_bins=bins)
    if symmetric:
        ours = Percentile(percent)(np.abs(x), PerTensor())[1]
        assert_within_a_bin(np.abs(x), np.maximum(-low, high), ours, percent / 100, float(np.ptp(np.abs(x))) / bins)
        assert high == x.max() or low == x.min() or low == -high
    else:
        cut = (100 - percent) / 2
        width = 2 * float(np.abs(x).max()) / bins
        for end, ours, p in zip((low, high), Percentile(100 - cut)(x, PerTensor()), (cut, 100 - cut)):
            assert_within_a_bin(x, end, ours, p / 100, width)


def assert_within_a_bin(x: np.ndarray, edge: np.ndarray, ours: np.ndarray, p: float, width: float) -> None:
    at = np.sort(x, axis=None).astype(np.float64)
    place = p * (x.size - 1)
    below, above = at[int(np.floor(place))], at[int(np.ceil(place))]
    slack = 1e-5 * float(np.abs(x).max())  # edges are rounded to float32
    assert below - slack <= ours[0, 0] <= above + slack
    assert below - width - slack <= edge[0, 0] <= above + slack
