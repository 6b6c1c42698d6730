"""SGD, Adam, AdamW and the schedules against torch.optim, over many steps, in float64 and float32."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.learning_rate import Constant, Cosine, Schedule, Step
from nncomp.optim import SGD, Adam, AdamW, Optimizer

torch = pytest.importorskip("torch")

from tests.crosscheck.torch_graph import assert_close, leaf  # noqa: E402

STEPS = 100
SHAPES = [(3, 4), (4,)]

seeds = st.integers(0, 2**32 - 1)
rates = st.floats(1e-4, 0.3)
decays = st.sampled_from([0.0, 1e-4, 0.1])
fractions = st.floats(0, 0.99)
# A small beta2 divides by the last gradient alone, and where decay brings that near 0 a step amplifies any rounding.
slow_fractions = st.floats(0.9, 0.9999)


def arrays(rng: np.random.Generator, dtype: type) -> list[np.ndarray]:
    return [rng.normal(size=shape).astype(dtype) for shape in SHAPES]


def assert_same_path(
    ours: Optimizer, theirs: Callable[..., "torch.optim.Optimizer"], seed: int, dtype: type = np.float64,
    relative: float = 1e-12, schedule: Schedule = Constant(), scheduler: Callable | None = None,
) -> None:  # fmt: skip
    """Both take the same gradients, of sizes from 1e-3 to 1e3, and end in the same place."""
    rng = np.random.default_rng(seed)
    params = arrays(rng, dtype)
    leaves = [leaf(w) for w in params]
    optimizer, state = theirs(leaves), ours.init(params)
    rescale = scheduler(optimizer) if scheduler else None
    size = 10 ** rng.uniform(-3, 3)
    for t in range(1, STEPS + 1):
        gradients = [(g * size).astype(dtype) for g in arrays(rng, dtype)]
        ours.update(params, gradients, state, t, schedule((t - 1) / STEPS))
        for w, g in zip(leaves, gradients):
            w.grad = torch.tensor(g)
        optimizer.step()
        if rescale:
            rescale.step()
    for w, expected in zip(params, leaves):
        assert_close(w, expected, relative)


@settings(max_examples=30)
@given(rates, fractions, st.booleans(), decays, seeds)
def test_sgd(rate: float, momentum: float, nesterov: bool, decay: float, seed: int) -> None:
    nesterov = nesterov and momentum > 0  # torch refuses it without momentum, where it changes nothing
    assert_same_path(
        SGD(rate, momentum, nesterov, decay),
        lambda w: torch.optim.SGD(w, rate, momentum, nesterov=nesterov, weight_decay=decay),
        seed,
    )


@settings(max_examples=30)
@given(rates, fractions, slow_fractions, st.sampled_from([1e-8, 1e-3]), decays, seeds)
def test_adam_with_l2(rate: float, beta1: float, beta2: float, eps: float, decay: float, seed: int) -> None:
    assert_same_path(
        Adam(rate, beta1, beta2, eps, decay),
        lambda w: torch.optim.Adam(w, rate, (beta1, beta2), eps, weight_decay=decay),
        seed,
    )


@settings(max_examples=30)
@given(rates, fractions, slow_fractions, decays, seeds)
def test_adamw(rate: float, beta1: float, beta2: float, decay: float, seed: int) -> None:
    assert_same_path(
        AdamW(rate, beta1, beta2, weight_decay=decay),
        lambda w: torch.optim.AdamW(w, rate, (beta1, beta2), weight_decay=decay),
        seed,
    )


@pytest.mark.parametrize(("ours", "theirs"), [
    (SGD(), lambda w: torch.optim.SGD(w, 0.1, 0.9)),
    (SGD(nesterov=True), lambda w: torch.optim.SGD(w, 0.1, 0.9, nesterov=True)),
    (Adam(), lambda w: torch.optim.Adam(w)),
    (AdamW(), lambda w: torch.optim.AdamW(w)),
], ids=["SGD", "Nesterov", "Adam", "AdamW"])  # fmt: skip
def test_the_defaults_and_float32(ours: Optimizer, theirs: Callable[..., "torch.optim.Optimizer"]) -> None:
    assert_same_path(ours, theirs, seed=0)
    # A step rounds w, the moments and the update about eight times, each by eps / 2 at most of numbers of w's size.
    assert_same_path(ours, theirs, seed=0, dtype=np.float32, relative=8 * STEPS * np.finfo(np.float32).eps / 2)


@pytest.mark.parametrize(("schedule", "scheduler"), [
    (Cosine(), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS)),
    (Cosine(last=0.1), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1 * 0.01)),
    (Step(), lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [50, 75], gamma=0.1)),
], ids=["Cosine", "Cosine to 0.1", "Step"])  # fmt: skip
def test_a_scheduled_rate(schedule: Schedule, scheduler: Callable) -> None:
    assert_same_path(Adam(0.01), lambda w: torch.optim.Adam(w, 0.01), 0, schedule=schedule, scheduler=scheduler)
