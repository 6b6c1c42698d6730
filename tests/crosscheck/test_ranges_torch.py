"""Moving averages against torch's observers, and half-quadratic zero points against torchao's port of HQQ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import PerRow, PerTensor, Uniform, divide_add_round
from nncomp.quantize import hqq, minmax, moving_average
from nncomp.quantize.nearest import fit_grid

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated", "ignore:.*will be an error")

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 6), st.sampled_from([0.01, 0.3, 1.0]), st.booleans())
def test_moving_averages(seed: int, batches: int, rate: float, per_row: bool) -> None:
    observers = pytest.importorskip("torch.ao.quantization")
    x = np.random.default_rng(seed).standard_normal((batches, 3, 5)).astype(np.float32)
    if per_row:
        observer = observers.MovingAveragePerChannelMinMaxObserver(averaging_constant=rate, dtype=torch.qint8)
    else:
        observer = observers.MovingAverageMinMaxObserver(averaging_constant=rate, dtype=torch.qint8)
    for batch in x:
        observer(torch.tensor(batch))
    ours = moving_average([minmax(batch, PerRow() if per_row else PerTensor()) for batch in x], rate)
    for a, b in zip(ours, (observer.min_val, observer.max_val)):
        np.testing.assert_array_equal(a, b.numpy().reshape(a.shape))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("p", [0.7, 1.0])
def test_half_quadratic_zero_points_are_the_best_that_torchao_comes_by(bits: int, p: float) -> None:
    """It returns the last zero point, we the one of least sum of |error|^p in each row."""
    primitives = pytest.importorskip("torchao.quantization.quant_primitives")
    W = np.random.default_rng(bits).standard_t(4, (8, 51))  # an odd number, or sums of |error| are flat
    format = Uniform(bits, signed=False, symmetric=False, integer_zero=False, arithmetic=divide_add_round)
    start = fit_grid(W, format, PerRow())
    least, best = np.full((8, 1), np.inf), start.zeros
    for steps in range(21):
        zero = start.zeros
        if steps:
            options = {"lp_norm": p, "beta": 10.0, "kappa": 1.01, "iters": steps, "early_stop": False}
            tensors = (torch.tensor(a) for a in (W, 1 / start.scale, start.zeros))
            _, _, moved = primitives.optimize_weights_proximal_legacy(
                *tensors, [0, 2**bits - 1], axis=1, dtype=torch.float64, device="cpu", opt_params=options
            )
            zero = moved.numpy()
        q = np.clip(np.round(W / start.scale + zero), 0, 2**bits - 1)
        sums = (np.abs(W - (q - zero) * start.scale) ** p).sum(axis=1, keepdims=True)
        best, least = np.where(sums < least, zero, best), np.minimum(sums, least)
    ours = hqq(W, format, p=p)
    np.testing.assert_allclose(ours.zero_point, best, rtol=1e-9)
    assert (best != start.zeros).any()
