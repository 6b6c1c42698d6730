"""Every distillation loss against a forward pass of its own in torch, whose gradients autograd supplies."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nncomp.distill import attention_transfer, neuron_selectivity
from tests.distill.test_scalings import SCALINGS, STUDENT, TEACHER, T
from tests.strategies.distillation import LOSSES

torch = pytest.importorskip("torch")
F = torch.nn.functional

from tests.crosscheck.torch_graph import assert_close, leaf  # noqa: E402

Tensor = "torch.Tensor"


def labels(z: Tensor) -> Tensor:
    return torch.arange(len(z)) % z.shape[1]


def kl(log_p: Tensor, q: Tensor, reduction: str = "batchmean") -> Tensor:
    return torch.nn.KLDivLoss(reduction=reduction)(log_p, q)


def hinton(s: Tensor, t: Tensor, T: float, reduction: str = "batchmean") -> Tensor:
    return T**2 * kl(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction)


def reverse_kl(s: Tensor, t: Tensor) -> Tensor:
    return 9 * kl(F.log_softmax(t / 3, 1), F.softmax(s / 3, 1))


def jensen_shannon(s: Tensor, t: Tensor, beta: float) -> Tensor:
    p, q = F.softmax(s / 2, 1), F.softmax(t / 2, 1)
    log_m = (beta * q + (1 - beta) * p).log()
    return beta * kl(log_m, q) + (1 - beta) * kl(log_m, p)


def alpha(s: Tensor, t: Tensor, a: float) -> Tensor:
    p, q = F.softmax(s / 2, 1), F.softmax(t / 2, 1)
    return 4 * ((p * ((q / p) ** a)).sum(1) - 1).mean() / (a * (a - 1))


def others(z: Tensor) -> Tensor:
    return z[~F.one_hot(labels(z), z.shape[1]).bool()].reshape(len(z), -1)


def dkd(s: Tensor, t: Tensor, T: float, a: float, beta: Tensor) -> Tensor:
    p, q = F.softmax(s / T, 1), F.softmax(t / T, 1)
    pt, qt = (x.gather(1, labels(s)[:, None]) for x in (p, q))
    target = kl(torch.cat([pt, 1 - pt], 1).log(), torch.cat([qt, 1 - qt], 1), "none").sum(1)
    rest = kl(F.log_softmax(others(s) / T, 1), F.softmax(others(t) / T, 1), "none").sum(1)
    return (a * target + beta * rest).mean()


def nkd(s: Tensor, t: Tensor) -> Tensor:
    y = labels(s)[:, None]
    target = -(F.softmax(t, 1).gather(1, y) * F.log_softmax(s, 1).gather(1, y)).mean()
    return target - 1.5 * 4 * (F.softmax(others(t) / 2, 1) * F.log_softmax(others(s) / 2, 1)).sum(1).mean()


def standardized(z: Tensor, correction: int, eps: float) -> Tensor:
    return (z - z.mean(1, keepdim=True)) / (z.std(1, keepdim=True, correction=correction) + eps)


def distance_of_rows(u: Tensor, v: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(u - u.mean(1, keepdim=True), v - v.mean(1, keepdim=True), 1, 0).mean()


def dist(s: Tensor, t: Tensor, beta: float, gamma: float) -> Tensor:
    p, q = F.softmax(s / 2, 1), F.softmax(t / 2, 1)
    return beta * distance_of_rows(p, q) + gamma * distance_of_rows(p.T, q.T)


def dist_of_code(s: Tensor, t: Tensor) -> Tensor:
    def term(u: Tensor, v: Tensor) -> Tensor:
        a, b = u - u.mean(1, keepdim=True), v - v.mean(1, keepdim=True)
        return 1 - ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-8)).mean()

    p, q = F.softmax(s / 2, 1), F.softmax(t / 2, 1)
    return 4 * (term(p, q) + term(p.T, q.T))


def attention(A: Tensor, p: float) -> Tensor:
    Q = A.abs() ** p
    return F.normalize(Q if A.ndim == 2 else Q.sum(1), dim=1)


def boundaries(s: Tensor, t: Tensor, W: Tensor, b: Tensor) -> Tensor:
    r, rho = F.linear(s, W, b), (t > 0).double()
    return ((rho * F.relu(1 - r) + (1 - rho) * F.relu(1 + r)) ** 2).sum(1).mean()


def margin_relu(s: Tensor, t: Tensor, W: Tensor, b: Tensor) -> Tensor:
    r, target = F.linear(s, W, b), torch.maximum(t, torch.linspace(-1.5, -0.5, t.shape[1], dtype=t.dtype))
    return torch.where((r <= target) & (target <= 0), 0, (r - target) ** 2).sum(1).mean()


def mmd(s: Tensor, t: Tensor, k: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    y, x = F.normalize(s.T), F.normalize(t.T)
    return k(x, x).mean() + k(y, y).mean() - 2 * k(x, y).mean()


def rbf(x: Tensor, y: Tensor, sigma: float) -> Tensor:
    return torch.exp(-((x[:, None] - y[None]) ** 2).sum(-1) / (2 * sigma**2))


def vid(s: Tensor, t: Tensor, W: Tensor, b: Tensor, a: Tensor) -> Tensor:
    var = F.softplus(a) + 1e-5
    return F.gaussian_nll_loss(F.linear(s, W, b), t, var.expand_as(t), eps=0, reduction="sum") / len(s)


def paraphrase(x: Tensor, _: Tensor, W: Tensor, b: Tensor, W_out: Tensor, b_out: Tensor) -> Tensor:
    return ((x - F.linear(F.leaky_relu(F.linear(x, W, b), 0.1), W_out, b_out)) ** 2).sum(1).mean()


def factor(s: Tensor, t: Tensor, W: Tensor, b: Tensor, slope: float) -> Tensor:
    return (F.normalize(F.leaky_relu(F.linear(s, W, b), slope)) - F.normalize(t)).abs().sum(1).mean()


def rkd_distance(s: Tensor, t: Tensor) -> Tensor:
    a, b = (F.pdist(x) / F.pdist(x).mean() for x in (s, t))  # each pair once
    return 2 * F.smooth_l1_loss(a, b, reduction="sum")


def angles(x: Tensor) -> Tensor:
    e = F.normalize(x[None] - x[:, None], dim=2)
    return torch.bmm(e, e.transpose(1, 2))


def similarities(x: Tensor) -> Tensor:
    return F.normalize(x @ x.T)


def taylor(x: Tensor) -> Tensor:
    g = F.normalize(x) @ F.normalize(x).T
    return np.exp(-0.8) * (1 + 0.8 * g + 0.32 * g**2)


def neighbours(x: Tensor, diagonal: bool) -> Tensor:
    k = (F.normalize(x) @ F.normalize(x).T + 1) / 2
    k = k if diagonal else k[~torch.eye(len(k), dtype=bool)].reshape(len(k), -1)
    return k / k.sum(1, keepdim=True)


def info_nce(s: Tensor, t: Tensor, Ws: Tensor, bs: Tensor, Wt: Tensor, bt: Tensor) -> Tensor:
    logits = F.normalize(F.linear(s, Ws, bs)) @ F.normalize(F.linear(t, Wt, bt)).T / 0.5
    return F.cross_entropy(logits, torch.arange(len(s)))


TORCH: dict[str, Callable[..., Tensor]] = {
    "kl": lambda s, t: hinton(s, t, 3.0),
    "kl, elements": lambda s, t: hinton(s, t, 3.0, "mean") / 9,
    "soft cross-entropy": lambda s, t: 4 * F.cross_entropy(s / 2, F.softmax(t / 2, 1)),
    "kd": lambda s, t: 0.7 * hinton(s, t, 3.0) + 0.3 * F.cross_entropy(s, labels(s)),
    "kd, weights": lambda s, t: (
        2.5 * hinton(s, t, 3.0, "sum") + 0.3 * F.cross_entropy(s, labels(s), label_smoothing=0.1)
    ),
    "reverse kl": reverse_kl,
    "jensen-shannon": lambda s, t: 4 * jensen_shannon(s, t, 0.5),
    "jensen-shannon, 0.1": lambda s, t: jensen_shannon(s, t, 0.1),
    "alpha 0.5": lambda s, t: alpha(s, t, 0.5),
    "alpha 0": lambda s, t: 4 * kl(F.log_softmax(t / 2, 1), F.softmax(s / 2, 1)),
    "alpha 1": lambda s, t: hinton(s, t, 2.0),
    "alpha -1": lambda s, t: alpha(s, t, -1.0),
    "alpha 2": lambda s, t: alpha(s, t, 2.0) / s.shape[1],
    "total variation": lambda s, t: F.l1_loss(F.softmax(s / 2, 1), F.softmax(t / 2, 1), reduction="sum") / 2 / len(s),
    "logit regression": lambda s, t: F.mse_loss(s, t, reduction="sum") / 2 / len(s),
    "dkd": lambda s, t: 9 * dkd(s, t, 3.0, 0.8, torch.tensor(2.0)),
    "dkd, by sample": lambda s, t: dkd(s, t, 2.0, 1.0, torch.linspace(0.5, 2, len(s), dtype=s.dtype)),
    "nkd": nkd,
    "logit standardization": lambda s, t: hinton(standardized(s, 0, 0), standardized(t, 0, 0), 2.0),
    "logit standardization, code": lambda s, t: hinton(standardized(s, 1, 1e-7), standardized(t, 1, 1e-7), 2.0),
    "dist": lambda s, t: dist(s, t, 0.7, 1.3),
    "dist, code": dist_of_code,
    "label smoothing": lambda s, t: F.cross_entropy(s, labels(s), label_smoothing=0.2) - 0.2 * np.log(s.shape[1]),
    "hint": lambda s, t, W, b: F.mse_loss(F.linear(s, W, b), t, reduction="sum") / 2 / len(s),
    "hint, tanh": lambda s, t, W, b: F.mse_loss(F.linear(s, W, b).tanh(), t) / 2,
    "attention transfer": lambda s, t: (attention(s, 2.0) - attention(t, 2.0)).norm(dim=1).mean(),
    "attention transfer, code": lambda s, t: (attention(s, 3.0) - attention(t, 3.0)).pow(2).mean(),
    "activation boundaries": boundaries,
    "margin relu": margin_relu,
    "neuron selectivity": lambda s, t: mmd(s, t, lambda x, y: (x @ y.T) ** 2),
    "neuron selectivity, linear": lambda s, t: (F.normalize(s.T).mean(0) - F.normalize(t.T).mean(0)).pow(2).sum(),
    "neuron selectivity, gaussian": lambda s, t: mmd(s, t, lambda x, y: rbf(x, y, 0.8)),
    "vid": vid,
    "paraphrase": paraphrase,
    "factor transfer": lambda s, t, W, b: factor(s, t, W, b, 0.2),
    "factor transfer, linear": lambda s, t, W, b: factor(s, t, W, b, 1.0),
    "pkd": lambda s, t: (2 - 2 * F.cosine_similarity(s, t)).mean(),
    "rkd distance": rkd_distance,
    "rkd angle": lambda s, t: F.smooth_l1_loss(angles(s), angles(t)),
    "similarity preserving": lambda s, t: F.mse_loss(similarities(s), similarities(t)),
    "correlation congruence": lambda s, t: F.mse_loss(taylor(s), taylor(t)),
    "correlation congruence, gaussian": lambda s, t: F.mse_loss(
        rbf(F.normalize(s), F.normalize(s), 0.7), rbf(F.normalize(t), F.normalize(t), 0.7)
    ),
    "pkt": lambda s, t: kl(neighbours(s, False).log(), neighbours(t, False), "sum"),
    "pkt, code": lambda s, t: kl(neighbours(s, True).log(), neighbours(t, True)),
    "contrastive": info_nce,
}


def test_every_loss_has_its_counterpart() -> None:
    assert TORCH.keys() == LOSSES.keys()


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")
@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=15)
@given(st.integers(3, 7), st.integers(3, 6), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_loss_and_gradients(name: str, batch: int, width: int, teachers: int, seed: int) -> None:
    student, teacher, *params = LOSSES[name].draw(np.random.default_rng(seed), batch, width, teachers)
    loss, gradients = LOSSES[name](student, teacher, *params)
    leaves = [leaf(student), *map(leaf, params)]
    theirs = TORCH[name](leaves[0], torch.tensor(teacher), *leaves[1:])
    assert loss == pytest.approx(theirs.item(), rel=1e-10)
    for ours, expected in zip(gradients, torch.autograd.grad(theirs, leaves), strict=True):
        assert_close(ours, expected)


@pytest.mark.parametrize("squared", [False, True])
@settings(max_examples=15)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_attention_over_channels(squared: bool, batch: int, channels: int, teachers: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    student, teacher = rng.standard_normal((batch, channels, n)), rng.standard_normal((batch, teachers, n))
    x = leaf(student)
    d = attention(x, 2.0) - attention(torch.tensor(teacher), 2.0)
    theirs = d.pow(2).sum(1).mean() if squared else d.norm(dim=1).mean()
    loss, gradient = attention_transfer(student, teacher, squared=squared)
    assert loss == pytest.approx(theirs.item(), rel=1e-10)
    assert_close(gradient, torch.autograd.grad(theirs, x)[0])


@settings(max_examples=15)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_neuron_selectivity_over_positions(batch: int, channels: int, teachers: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    student, teacher = rng.standard_normal((batch, channels, n)), rng.standard_normal((batch, teachers, n))
    x = leaf(student)
    samples = zip(x, torch.tensor(teacher))
    theirs = sum(mmd(s.T, t.T, lambda a, b: (a @ b.T) ** 2) for s, t in samples) / batch
    loss, gradient = neuron_selectivity(student, teacher)
    assert loss == pytest.approx(theirs.item(), rel=1e-10)
    assert_close(gradient, torch.autograd.grad(theirs, x)[0])


KL_DIV_LOSS = {  # of each scaling that is one of PyTorch's reductions: which, and what it is multiplied by
    "KL T^2 / batch": ("batchmean", T**2),
    "KL / batch": ("batchmean", 1.0),
    "KL T^2 / (batch classes)": ("mean", T**2),
    "KL T^2": ("sum", T**2),
}


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")
@pytest.mark.parametrize("name", SCALINGS)
def test_the_scalings_of_other_systems(name: str) -> None:
    x, t = leaf(STUDENT), torch.tensor(TEACHER)
    if name in KL_DIV_LOSS:
        reduction, factor = KL_DIV_LOSS[name]
        theirs = factor * kl(F.log_softmax(x / T, 1), F.softmax(t / T, 1), reduction)
    else:
        theirs = (T**2 if "T^2" in name else 1) * F.cross_entropy(x / T, F.softmax(t / T, 1))
    loss, gradient = SCALINGS[name].loss(STUDENT, TEACHER, T, **SCALINGS[name].settings)
    assert loss == pytest.approx(theirs.item(), rel=1e-12)
    assert_close(gradient, torch.autograd.grad(theirs, x)[0])
