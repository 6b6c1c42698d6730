"""The uniform grid against torch's fake quantization, quantized tensors and observers, in float32.

torch multiplies by the reciprocal where ONNX and the default divide. Grids with its arithmetic give its codes, bit for
bit; where they and the default part, a tie is near.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nncomp.crosscheck import Comparison, compare, grid_cases
from nncomp.crosscheck.shrink import Case
from nncomp.formats import (
    Grid,
    PerTensor,
    Uniform,
    fused_add_round,
    half_range,
    multiply_add_round,
    multiply_round_add,
)
from nncomp.quantize import round_to_nearest

torch = pytest.importorskip("torch")

# Quantized tensors and observers are on their way out of torch; what they compute is still the definition of its files.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated")

U = np.finfo(np.float32).eps / 2  # the largest relative error of one rounding

seeds = st.integers(0, 2**32 - 1)
formats = st.builds(Uniform, bits=st.sampled_from([2, 4, 8, 16]), signed=st.booleans(), narrow=st.booleans())
bytes_ = st.builds(Uniform, signed=st.booleans())
FORMATS = [
    Uniform(),
    Uniform(symmetric=False),
    Uniform(signed=False, symmetric=False),
    Uniform(4, symmetric=False, narrow=True),
    Uniform(16, symmetric=False),
]
scales = st.floats(2**-20, 2**20, width=32)
bounds = st.just(0.0) | st.floats(2**-20, 2**20, width=32) | st.floats(-(2**20), -(2**-20), width=32)


@st.composite
def grids_and_values(draw: st.DrawFn, formats=formats, rows=st.just(1)) -> tuple[Grid, np.ndarray]:
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


def fake_quantized(grid: Grid, x: "torch.Tensor", per_row: bool) -> "torch.Tensor":
    """By one scale, or by a scale per row, which torch has other code for."""
    scale, zero = torch.tensor(grid.scale[:, 0]), torch.tensor(grid.zeros[:, 0])
    ends = grid.format.qmin, grid.format.qmax
    if per_row:
        return torch.fake_quantize_per_channel_affine(x, scale.expand(len(x)), zero.expand(len(x)), 0, *ends)
    return torch.fake_quantize_per_tensor_affine(x, scale.item(), zero.item(), *ends)


def quantized(grid: Grid, x: np.ndarray, per_row: bool) -> "torch.Tensor":
    """As `fake_quantized`, but the quantized tensor."""
    dtype = torch.qint8 if grid.format.signed else torch.quint8
    scale, zero = torch.tensor(grid.scale[:, 0]), torch.tensor(grid.zeros[:, 0])
    if per_row:
        return torch.quantize_per_channel(torch.tensor(x), scale.expand(len(x)), zero.expand(len(x)), 0, dtype)
    return torch.quantize_per_tensor(torch.tensor(x), scale.item(), zero.item(), dtype)


def defined(per_row: bool) -> float:
    """The largest |x / scale| that has an answer: per row it is cast to an int64 before it is limited to the codes."""
    return 2.0**62 if per_row else np.inf


def reciprocal(grid: Grid, x: np.ndarray) -> np.ndarray:
    """Fake quantization's dialect: `round(x * (1 / scale)) + zero_point`."""
    return replace(grid, format=replace(grid.format, arithmetic=multiply_round_add)).encode(x)


def added_first(grid: Grid, x: np.ndarray) -> np.ndarray:
    """A dialect of quantized tensors: `round(x * (1 / scale) + zero_point)`, where an odd zero point turns the ties."""
    return replace(grid, format=replace(grid.format, arithmetic=multiply_add_round)).encode(x)


def fused(grid: Grid, x: np.ndarray) -> np.ndarray:
    """The other: the same with product and sum rounded once."""
    return replace(grid, format=replace(grid.format, arithmetic=fused_add_round)).encode(x)


def on(format: Uniform, function: Callable[..., object]) -> Callable[..., object]:
    """`function(grid, x)` as one of arrays; quotients overflow on purpose."""

    def of_arrays(x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray) -> object:
        with np.errstate(over="ignore"):
            return function(Grid(format, scale, zero_point), x)

    return of_arrays


def cases(format: Uniform, per_row: bool, limit: float = np.inf, powers_of_two: bool = False) -> list[Case]:
    """The grid's cases, less scales so small that they have no reciprocal, whose product with 0 is NaN.

    `limit`: of |x / scale|. `powers_of_two`: only such scales, whose reciprocals are exact.
    """

    def kept(x: np.ndarray, scale: np.ndarray, zero_point: np.ndarray) -> bool:
        if scale.min() < 2.0**-127 or (scale.size > 1 and not per_row):
            return False
        within = (np.abs(x.astype(np.float64)) / scale <= limit).all()
        return bool(within and (not powers_of_two or (np.frexp(scale)[0] == 0.5).all()))

    return [case for case in grid_cases(format) if kept(*case)]


def assert_same_bits(comparison: Comparison) -> None:
    assert comparison.agree and comparison.refused == 0 and comparison.exact == comparison.elements, comparison


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


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_fake_quantization_is_its_dialect_and_ours_where_reciprocals_are_exact(format: Uniform, per_row: bool) -> None:
    theirs = on(format, lambda grid, x: fake_quantized(grid, torch.tensor(x), per_row).numpy())
    dialect = on(format, lambda grid, x: grid.decode(reciprocal(grid, x)))
    assert_same_bits(compare(theirs, dialect, cases(format, per_row, defined(per_row))))
    ours = on(format, lambda grid, x: grid.decode(grid.encode(x)))
    assert_same_bits(compare(theirs, ours, cases(format, per_row, defined(per_row), powers_of_two=True)))


@given(grids_and_values(rows=st.integers(1, 3)))
def test_fake_quantization_differs_only_at_near_ties(case: tuple[Grid, np.ndarray]) -> None:
    grid, x = case
    theirs = fake_quantized(grid, torch.tensor(x), per_row=len(x) > 1).numpy().astype(float) / grid.scale + grid.zeros
    assert_equal_but_at_near_ties(grid.encode(x), np.rint(theirs), x.astype(float) / grid.scale)


def test_a_near_tie_that_the_reciprocal_moves() -> None:
    grid, x = Grid(Uniform(), np.array([[0.1]], np.float32)), np.array([[-12.15]], np.float32)
    assert x.item() / grid.scale.item() > -121.5  # so -121 is nearest
    assert grid.encode(x).item() == -121
    assert fake_quantized(grid, torch.tensor(x), per_row=False).item() == np.float32(-122) * np.float32(0.1)


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("format", FORMATS[:3], ids=str)
def test_quantized_tensors_are_one_of_their_dialects(format: Uniform, per_row: bool) -> None:
    def theirs(grid: Grid, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        codes = quantized(grid, x, per_row)
        return codes.int_repr().numpy(), codes.dequantize().numpy()

    def ours(dialect: Callable[[Grid, np.ndarray], np.ndarray]) -> Callable[..., object]:
        return on(format, lambda grid, x: (dialect(grid, x), grid.decode(dialect(grid, x))))

    # Whether product and sum are fused is up to the build and the processor, and on one may differ by row and not.
    compared = [compare(on(format, theirs), ours(dialect), cases(format, per_row)) for dialect in (fused, added_first)]
    assert_same_bits(max(compared, key=lambda comparison: comparison.exact))


@given(grids_and_values(formats=bytes_, rows=st.integers(1, 3)))
def test_quantized_tensors_differ_only_at_near_ties(case: tuple[Grid, np.ndarray]) -> None:
    grid, x = case
    codes = quantized(grid, x, per_row=len(x) > 1).int_repr().numpy()
    assert_equal_but_at_near_ties(grid.encode(x), codes, x.astype(float) / grid.scale, grid.zeros)


@pytest.mark.parametrize("per_row", [False, True])
@pytest.mark.parametrize("format", FORMATS, ids=str)
def test_the_gradient_passes_where_torch_lets_it(format: Uniform, per_row: bool) -> None:
    def passes(grid: Grid, x: np.ndarray) -> np.ndarray:
        leaf = torch.tensor(x, requires_grad=True)
        fake_quantized(grid, leaf, per_row).sum().backward()
        return leaf.grad.numpy() == 1

    exact = cases(format, per_row, defined(per_row), powers_of_two=True)
    assert_same_bits(compare(on(format, passes), on(format, Grid.inside), exact))


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
