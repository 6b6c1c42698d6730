"""What systems call the distillation loss, each by the arguments that give its number, and which is the paper's.

The systems differ in T^2, in what the sum is divided by, and in whether the teacher's entropy is left in.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from nncomp.distill import batchmean, elementmean, kd, kl_divergence, soft_cross_entropy, summed
from nncomp.losses import cross_entropy

BATCH, CLASSES, T = 8, 10, 4.0
STUDENT, TEACHER = np.random.default_rng(42).standard_normal((2, BATCH, CLASSES)) * 3


class Scaling(NamedTuple):
    """Who computes it, by which call, and what its gradient is times the paper's."""

    systems: str
    loss: Callable[..., tuple[float, np.ndarray]]
    settings: dict[str, Any]
    factor: float


SCALINGS = {
    "KL T^2 / batch": Scaling(
        "Distiller, mdistiller, SparseML's modifier, ModelOpt, torchdistill with alpha > 0",
        kl_divergence, dict(square=True, reduction=batchmean), 1.0,
    ),
    "KL / batch": Scaling(
        "torchdistill with alpha None or 0", kl_divergence, dict(square=False, reduction=batchmean), 1 / T**2,
    ),
    "KL T^2 / (batch classes)": Scaling(
        "Intel Neural Compressor's KL", kl_divergence, dict(square=True, reduction=elementmean), 1 / CLASSES,
    ),
    "KL T^2": Scaling(
        "PyTorch's KLDivLoss(reduction='sum'), times T^2", kl_divergence, dict(square=True, reduction=summed), BATCH,
    ),
    "CE T^2 / batch": Scaling(
        "Intel Neural Compressor's CE, NNCF's softmax", soft_cross_entropy, dict(square=True, reduction=batchmean), 1.0,
    ),
    "CE / batch": Scaling(
        "TextBrewer's kd_ce", soft_cross_entropy, dict(square=False, reduction=batchmean), 1 / T**2,
    ),
}  # fmt: skip
"""NNI leaves it unspecified; SparseML's KDFactory leaves the softmax to whoever calls it: see below."""


def softmax_loops(row: list[float]) -> list[float]:
    e = [math.exp((v - max(row)) / T) for v in row]
    return [v / sum(e) for v in e]


def by_loops(name: str) -> float:
    """The number, one sample and one class at a time."""
    total = 0.0
    for srow, trow in zip(STUDENT.tolist(), TEACHER.tolist()):
        for p, q in zip(softmax_loops(srow), softmax_loops(trow)):
            total += q * math.log(q / p) if name.startswith("KL") else -q * math.log(p)
    total *= T * T if "T^2" in name else 1
    return total / (BATCH if "batch" in name else 1) / (CLASSES if "classes" in name else 1)


@pytest.mark.parametrize("name", SCALINGS)
def test_every_number_of_the_table_and_its_gradient(name: str) -> None:
    _, loss, settings, factor = SCALINGS[name]
    value, gradient = loss(STUDENT, TEACHER, T, **settings)
    assert value == pytest.approx(by_loops(name), rel=1e-13)
    paper = T * (np.array([*map(softmax_loops, STUDENT.tolist())]) - [*map(softmax_loops, TEACHER.tolist())]) / BATCH
    np.testing.assert_allclose(gradient, factor * paper, rtol=1e-12, err_msg="equation 2, times T^2, by the batch")


def test_two_of_the_numbers_are_the_papers() -> None:
    """They have its gradient; one is larger by T^2 times the teacher's entropy, whatever the student says."""
    assert [name for name, scaling in SCALINGS.items() if scaling.factor == 1] == ["KL T^2 / batch", "CE T^2 / batch"]
    entropy = -sum(q * math.log(q) for row in TEACHER.tolist() for q in softmax_loops(row)) / BATCH
    assert by_loops("CE T^2 / batch") - by_loops("KL T^2 / batch") == pytest.approx(T**2 * entropy, rel=1e-13)


def test_the_divergence_of_logits_is_no_number() -> None:
    """SparseML's KDFactory takes it of what it is given: of logits, of different signs, the logarithm is NaN."""
    with np.errstate(invalid="ignore"):
        assert np.isnan((TEACHER / T * np.log(TEACHER / STUDENT)).sum())


@pytest.mark.parametrize(
    ("alpha", "ce_weight"), [(0.9, None), (0.9, 0.1), (1.0, 1.0), (2.0, 0.5), (0.0, 1.0), (1.0, 0.0)]
)
def test_the_weight_of_the_hard_targets(alpha: float, ce_weight: float | None) -> None:
    """Of the paper's weighted average, and where both weights are free, as mdistiller's KD_WEIGHT and CE_WEIGHT."""
    labels = np.arange(BATCH)
    loss, gradient = kd(STUDENT, TEACHER, labels, T, alpha, ce_weight=ce_weight)
    (soft, dsoft), (hard, dhard) = kl_divergence(STUDENT, TEACHER, T), cross_entropy(STUDENT, labels)
    weight = 1 - alpha if ce_weight is None else ce_weight
    assert loss == pytest.approx(alpha * soft + weight * hard, rel=1e-14)
    np.testing.assert_allclose(gradient, alpha * dsoft + weight * dhard, atol=1e-15)


@pytest.mark.parametrize("settings", [dict(square=False), dict(reduction=elementmean), dict(reduction=summed)])
def test_kd_passes_the_scalings_on_to_its_soft_term_alone(settings: dict[str, Any]) -> None:
    labels = np.arange(BATCH)
    loss, _ = kd(STUDENT, TEACHER, labels, T, 0.9, **settings)
    soft = kl_divergence(STUDENT, TEACHER, T, **settings)[0]
    assert loss == pytest.approx(0.9 * soft + 0.1 * cross_entropy(STUDENT, labels)[0], rel=1e-14)


@pytest.mark.parametrize(
    ("alpha", "ce_weight", "message"),
    [
        (1.1, None, "soft targets is between 0 and 1, not 1.1"),
        (-0.1, 1.0, "weight alpha is finite and at least 0, not -0.1"),
        (float("inf"), 1.0, "weight alpha is finite and at least 0, not inf"),
        (0.5, -1.0, "weight ce_weight is finite and at least 0, not -1.0"),
        (0.5, float("nan"), "weight ce_weight is finite and at least 0, not nan"),
    ],
)
def test_weights_that_are_none(alpha: float, ce_weight: float | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kd(STUDENT, TEACHER, np.arange(BATCH), T, alpha, ce_weight=ce_weight)
