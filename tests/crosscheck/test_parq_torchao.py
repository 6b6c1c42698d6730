"""PARQ's map and its schedule against torchao's, which is by the paper's authors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import PerRow, PerTensor, Uniform
from nncomp.quantize.nearest import fit_grid
from nncomp.transforms import PARQ, shrink_onto
from tests.strategies.weights import seeds

torch = pytest.importorskip("torch")
ProxPARQ = pytest.importorskip("torchao.prototype.parq.optim").ProxPARQ


@given(seed=seeds, bits=st.integers(2, 4), step=st.integers(0, 99), per_row=st.booleans(), s=st.floats(0.1, 30))
def test_every_step_of_the_map_is_torchaos(seed: int, bits: int, step: int, per_row: bool, s: float) -> None:
    w = np.random.default_rng(seed).standard_normal((3, 8))
    grid = fit_grid(w / 1.5, Uniform(bits), PerRow() if per_row else PerTensor())
    codes = np.arange(grid.format.qmin, grid.format.qmax + 1)
    levels, seen = torch.tensor(codes * grid.scale), torch.tensor(w)
    prox = ProxPARQ(0, 100, steepness=s)
    rho = prox.apply_(seen, None, levels if per_row else levels[0], step, dim=-1 if per_row else None)
    ours = PARQ(steepness=s).inverse_slope(step / 100)
    np.testing.assert_allclose(ours, rho, rtol=1e-9)
    np.testing.assert_allclose(shrink_onto(w, grid, ours), seen.numpy(), rtol=1e-8, atol=1e-8)
