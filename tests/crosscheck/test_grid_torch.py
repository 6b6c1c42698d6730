"""The uniform grid against torch's fake quantization, quantized tensors and observers, in float32."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nncomp.formats import Grid, PerTensor, Uniform, half_range
from nncomp.quantize import round_to_nearest

torch = pytest.importorskip("torch")

# Quantized tensors and observers are on their way out of torch; what they compute is still the definition of its files.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated")

U = np.finfo(np.float32).eps / 2  # the largest relative error of one rounding

seeds = st.integers(0, 2**32 - 1)
formats = st.builds(Uniform, bits=st.sampled_from([2, 4, 8, 16]), signed=st.booleans(), narrow=st.booleans())
bytes_ = st.builds(Uniform, signed=st.booleans())
powers_of_two = st.integers(-20, 20).map(lambda k: 2.0**k)
scales = st.floats(2**-20, 2**20, width=32)
bounds = st.just(0.0) | st.floats(2**-20, 2**20, width=32) | st.floats(-(2**20), -(2**-20), width=32)


@st.composite
def grids_and_values(draw: st.DrawFn, scales=scales, formats=formats, rows=st.just(1)) -> tuple[Grid, np.ndarray]:
    """A grid with a zero point per row, and values half of which are its ties or their neighbouring floats."""
    format, rows = draw(formats), draw(rows)
    scale = np.array(draw(st.lists(scales, min_size=rows, max_size=rows)), np.float32)[:, None]
    rng = np.random.default_rng(draw(seeds))
    zero = rng.integers(format.qmin, format.qmax, (rows, 1), format.dtype, endpoint=True)
    span = format.qmax - format.qmin
    ties = (rng.integers(-span, span, (rows, 20)) + 0.5).astype(np.float32) * scale
    beside = np.nextafter(ties, np.where(rng.random(ties.shape) < 0.5, np.inf, -np.inf).astype(np.float32))
    others = rng.normal(size=(rows, 20)).astype(np.float32) * scale * np.float32(span)
    far = np.array([[1e9, -1e9]], np.float32) * scale  # no infinity: torch's cast of it to an integer is undefined
    return Grid(format, scale, zero), np.concatenate([ties, beside, others, far], axis=1)


def fake_quantized(grid: Grid, x: "torch.Tensor") -> "torch.Tensor":
    scale, zero = torch.tensor(grid.scale[:, 0]), torch.tensor(grid.zeros[:, 0])
    if len(scale) == 1:
        return torch.fake_quantize_per_tensor_affine(x, scale.item(), zero.item(), grid.format.qmin, grid.format.qmax)
    return torch.fake_quantize_per_channel_affine(x, scale, zero, 0, grid.format.qmin, grid.format.qmax)


def assert_equal_but_at_near_ties(
    ours: np.ndarray, theirs: np.ndarray, ratio: np.ndarray, added: np.ndarray | None = None
) -> None:
    """Codes are equal, or one apart where `ratio`, x / scale in float64, is almost halfway between two integers.

    torch multiplies by the reciprocal of the scale, rounding twice, where ONNX and nncomp divide, rounding once: both
    quotients lie within (2 U + U^2) |ratio| of it. Their codes differ only if a tie lies there as well. Where one side
    adds the zero point before it rounds to an integer, that sum, `ratio + added`, is one rounding more.
    """
    differs = ours != theirs
    from_tie = np.abs(ratio - np.floor(ratio) - 0.5)
    slack = (2 * U + 4 * U**2) * np.abs(ratio) + (0 if added is None else U * np.abs(ratio + added))
    assert (np.abs(ours.astype(int) - theirs.astype(int))[differs] == 1).all()
    assert (from_tie <= slack)[differs].all()


@given(grids_and_values(scales=powers_of_two, rows=st.integers(1, 3)))
def test_where_the_reciprocal_is_exact_fake_quantization_is_equal(case: tuple[Grid, np.ndarray]) -> None:
    grid, x = case
    np.testing.assert_array_equal(grid.decode(grid.encode(x)), fake_quantized(grid, torch.tensor(x)).numpy())


@given(grids_and_values(rows=st.integers(1, 3)))
def test_fake_quantization_differs_only_at_near_ties(case: tuple[Grid, np.ndarray]) -> None:
    grid, x = case
    theirs = fake_quantized(grid, torch.tensor(x)).numpy().astype(float) / grid.scale + grid.zeros
    assert_equal_but_at_near_ties(grid.encode(x), np.rint(theirs), x.astype(float) / grid.scale)


def test_a_near_tie_that_the_reciprocal_moves() -> None:
    grid, x = Grid(Uniform(), np.array([[0.1]], np.float32)), np.array([[-12.15]], np.float32)
    assert x.item() / grid.scale.item() > -121.5  # so -121 is nearest
    assert grid.encode(x).item() == -121
    assert fake_quantized(grid, torch.tensor(x)).item() == np.float32(-122) * np.float32(0.1)


def quantized(grid: Grid, x: np.ndarray) -> "torch.Tensor":
    scale, zero = torch.tensor(grid.scale[:, 0]), torch.tensor(grid.zeros[:, 0])
    dtype = torch.qint8 if grid.format.signed else torch.quint8
    if len(scale) == 1:
        return torch.quantize_per_tensor(torch.tensor(x), scale.item(), zero.item(), dtype)
    return torch.quantize_per_channel(torch.tensor(x), scale, zero, 0, dtype)


@given(grids_and_values(formats=bytes_, rows=st.integers(1, 3)))
def test_quantized_tensors(case: tuple[Grid, np.ndarray]) -> None:
    # torch documents them as round(x / scale + zero_point): with an odd zero point their ties go to the other side.
    grid, x = case
    codes = quantized(grid, x).int_repr().numpy()
    assert_equal_but_at_near_ties(grid.encode(x), codes, x.astype(float) / grid.scale, grid.zeros)
    np.testing.assert_array_equal(grid.decode(codes), quantized(grid, x).dequantize().numpy())


@given(grids_and_values(scales=powers_of_two, rows=st.integers(1, 3)))
def test_the_gradient_passes_where_torch_lets_it(case: tuple[Grid, np.ndarray]) -> None:
    grid, x = case
    leaf = torch.tensor(x, requires_grad=True)
    fake_quantized(grid, leaf).sum().backward()
    np.testing.assert_array_equal(grid.inside(x), leaf.grad.numpy() == 1)


@given(bounds, bounds, st.booleans(), st.booleans())
def test_the_observers_fit_the_same_grid(a: float, b: float, signed: bool, symmetric: bool) -> None:
    observers = pytest.importorskip("torch.ao.quantization")
    assume(a or b)  # of no range torch makes the scale eps, nncomp 1
    x = np.array([[a, b]], np.float32)
    format = Uniform(signed=signed, symmetric=symmetric, scale_rule=half_range)
    ours = round_to_nearest(x, format, PerTensor())[1]
    observer = observers.MinMaxObserver(
        torch.qint8 if signed else torch.quint8,
        torch.per_tensor_symmetric if symmetric else torch.per_tensor_affine,
        eps=0.0,
    )
    observer(torch.tensor(x))
    scale, zero = (value.numpy()[:, None] for value in observer.calculate_qparams())
    np.testing.assert_array_equal(ours.scale, scale)
    # Both divide low by scale; torch rounds that and subtracts it from the lowest code, ONNX rounds the difference.
    ratio = -min(a, b, 0) / scale.astype(float)
    assert_equal_but_at_near_ties(ours.zeros, zero, ratio, format.qmin)
