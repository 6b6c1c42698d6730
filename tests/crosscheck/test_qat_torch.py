"""Learned steps, intervals and DoReFa's tanh against torch: its learnable fake quantization, and its derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nncomp.formats import PerRow, PerTensor, Uniform, multiply_add_round, multiply_round_add
from nncomp.transforms import LSQ, DoReFa, LearnedStep, TrainedDSQ, TrainedEWGS
from tests.strategies.weights import seeds

torch = pytest.importorskip("torch")


@given(seed=seeds, bits=st.integers(2, 8), scaled=st.booleans(), per_row=st.booleans())
def test_learned_steps_are_torchs(seed: int, bits: int, scaled: bool, per_row: bool) -> None:
    """Where v is within half a step beyond Q_P, torch counts it as inside and the paper as beyond: left out here."""
    rng = np.random.default_rng(seed)
    w, g = rng.standard_normal((2, 4, 6)).astype(np.float32)
    s = rng.uniform(0.1, 1.5, (4, 1) if per_row else (1, 1)).astype(np.float32)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    v = w / s
    ends = (v > low - 0.51) & (v < low + 0.01) | (v > high - 0.01) & (v < high + 0.51)
    w = np.where(ends | (np.abs(np.abs(v - np.floor(v)) - 0.5) < 1e-3), 0, w).astype(np.float32)  # nor near ties
    arithmetic = multiply_add_round if per_row else multiply_round_add
    transform = LSQ(Uniform(bits, arithmetic=arithmetic), PerRow() if per_row else PerTensor(), scaled)
    effective, saved = transform.forward((s,), w)
    (ds,), dw = transform.vjp((s,), saved, g)
    x, scale = (torch.tensor(a, requires_grad=True) for a in (w, s[:, 0]))
    zero = torch.zeros(len(s))
    factor = 1 / np.sqrt((6 if per_row else 24) * high) if scaled else 1.0
    if per_row:
        y = torch._fake_quantize_learnable_per_channel_affine(x, scale, zero, 0, low, high, factor)
    else:
        y = torch._fake_quantize_learnable_per_tensor_affine(x, scale, zero, low, high, factor)
    y.backward(torch.from_numpy(g))
    np.testing.assert_array_equal(effective, y.detach().numpy())
    np.testing.assert_array_equal(dw, x.grad.numpy())
    np.testing.assert_allclose(ds[:, 0], scale.grad.numpy(), rtol=2e-5, atol=2e-5 * high)


@given(seed=seeds, zero=st.integers(1, 14), scaled=st.booleans())
def test_learned_steps_of_inputs_are_torchs(seed: int, zero: int, scaled: bool) -> None:
    rng = np.random.default_rng(seed)
    x, g = rng.standard_normal((2, 4, 6)).astype(np.float32)
    s = rng.uniform(0.1, 1.5, (1, 1)).astype(np.float32)
    v = x / s
    ends = (v > -zero - 0.51) & (v < -zero + 0.01) | (v > 14.99 - zero) & (v < 15.51 - zero)
    x = np.where(ends | (np.abs(np.abs(v - np.floor(v)) - 0.5) < 1e-3), 0, x).astype(np.float32)
    format = Uniform(4, signed=False, arithmetic=multiply_round_add)
    quantizer = LearnedStep(format, s, np.full((1, 1), zero, np.uint8), scaled)
    dx, (ds,) = quantizer.vjp(x, g)
    leaf, scale = (torch.tensor(a, requires_grad=True) for a in (x, s[:, 0]))
    factor = 1 / np.sqrt(6 * (15 - zero)) if scaled else 1.0
    y = torch._fake_quantize_learnable_per_tensor_affine(leaf, scale, torch.full((1,), float(zero)), 0, 15, factor)
    y.backward(torch.from_numpy(g))
    np.testing.assert_array_equal(quantizer.grid_for(x).fake(x)[0], y.detach().numpy())
    np.testing.assert_array_equal(dx, leaf.grad.numpy())
    np.testing.assert_allclose(ds[0], scale.grad.numpy(), rtol=2e-5, atol=3e-4)


@given(seed=seeds, bits=st.integers(2, 8), tied=st.booleans())
def test_the_derivative_of_dorefa_is_torchs(seed: int, bits: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    w, g = rng.standard_normal((2, 3, 5))
    if tied:
        w.flat[rng.integers(0, 15, 3)] = 3.0
        w.flat[rng.integers(0, 15)] = -3.0
    n = 2**bits - 1
    x = torch.tensor(w, requires_grad=True)
    t = torch.tanh(x)
    r = t / (2 * t.abs().amax()) + 0.5
    y = 2 * (r + (torch.round(n * r) / n - r).detach()) - 1
    y.backward(torch.from_numpy(g))
    transform = DoReFa(bits)
    effective, saved = transform.forward((), w)
    np.testing.assert_allclose(effective, y.detach().numpy(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(transform.vjp((), saved, g)[1], x.grad.numpy(), rtol=1e-9, atol=1e-12)


def on_interval(seed: int) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    """Weights, gradients, and an interval that some of the weights are beyond, with an alpha."""
    rng = np.random.default_rng(seed)
    w, g = rng.standard_normal((2, 3, 5))
    ends = -rng.uniform(0.1, 1.5), rng.uniform(0.1, 1.5), rng.uniform(0.1, 0.9)
    return w, g, tuple(np.full((1, 1), v) for v in ends)


def agree(by: TrainedEWGS | TrainedDSQ, p: tuple[np.ndarray, ...], w: np.ndarray, g: np.ndarray, y, leaves) -> None:  # type: ignore[no-untyped-def]
    y.backward(torch.from_numpy(g))
    effective, saved = by.forward(p, w)
    dp, dw = by.vjp(p, saved, g)
    np.testing.assert_allclose(effective, y.detach().numpy(), rtol=1e-12, atol=1e-14)
    for ours, leaf in zip((*dp, dw), leaves):
        np.testing.assert_allclose(ours, leaf.grad.numpy(), rtol=1e-9, atol=1e-11)


@given(seed=seeds, bits=st.integers(1, 5), delta=st.sampled_from([0.0, 1e-3, 0.5]))
def test_intervals_of_ewgs_train_as_by_autograd(seed: int, bits: int, delta: float) -> None:
    w, g, p = on_interval(seed)

    class Discretized(torch.autograd.Function):  # type: ignore[misc,name-defined]
        @staticmethod
        def forward(ctx, x):  # type: ignore[no-untyped-def]
            x_q = torch.round(x * (2**bits - 1)) / (2**bits - 1)
            ctx.save_for_backward(x - x_q)
            return x_q

        @staticmethod
        def backward(ctx, h):  # type: ignore[no-untyped-def]
            return h * (1 + delta * torch.sign(h) * ctx.saved_tensors[0])

    leaves = [torch.tensor(a, requires_grad=True) for a in (*p, w)]
    l, u, alpha, x = leaves
    y = alpha * 2 * (Discretized.apply(((x - l) / (u - l)).clamp(0, 1)) - 0.5)
    agree(TrainedEWGS(bits, delta), p, w, g, y, leaves)


@given(seed=seeds, bits=st.integers(1, 5))
def test_intervals_of_dsq_train_as_by_autograd(seed: int, bits: int) -> None:
    w, g, p = on_interval(seed)
    leaves = [torch.tensor(a, requires_grad=True) for a in (*p, w)]
    l, u, alpha, x = leaves
    step = (u - l) / (2**bits - 1)
    clipped = torch.minimum(torch.maximum(x, l), u)
    cell = torch.floor((clipped - l) / step).clamp(0, 2**bits - 2).detach()
    phi = torch.tanh(torch.log(2 / alpha - 1) / step * (clipped - l - (cell + 0.5) * step)) / (1 - alpha)
    hard = phi + (torch.where(phi >= 0, 1.0, -1.0) - phi).detach()
    agree(TrainedDSQ(bits), p, w, g, l + step * (cell + (hard + 1) / 2), leaves)
