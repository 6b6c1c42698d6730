"""Every distillation loss, with arrays that are hard on none of them: the tests of its laws take it from here.

A loss joins by a line in `LOSSES`; `tests/crosscheck/test_distill.py` then asks for its forward pass in torch.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nncomp import distill
from nncomp.activations import Identity, LeakyReLU, Tanh
from nncomp.distill import batchmean, elementmean, summed

Result = tuple[float, list[np.ndarray]]


class Loss(NamedTuple):
    """`function(student, teacher, *labels, *params, **settings)`; `params` from the shapes of both features."""

    function: Callable[..., Any]
    settings: dict[str, Any] = {}  # noqa: RUF012 - never written to
    labelled: bool = False
    features: bool = False
    params: Callable[[np.random.Generator, int, int], list[np.ndarray]] = lambda rng, width, teachers: []
    same_width: bool = False
    teacherless: bool = False

    def draw(self, rng: np.random.Generator, batch: int = 5, width: int = 4, teachers: int = 3) -> list[np.ndarray]:
        """Student, teacher and params: the arrays that are floats."""
        teachers = teachers if self.features and not self.same_width else width
        student, teacher = rng.standard_normal((batch, width)) * 2, rng.standard_normal((batch, teachers)) * 2
        return [student, teacher, *self.params(rng, width, teachers)]

    def __call__(self, *arrays: np.ndarray) -> Result:
        """The loss, and the gradients at the student and at params."""
        student, teacher, *params = arrays
        labels = [np.arange(len(student)) % max(student.shape[-1], 1)] if self.labelled else []
        both = [student] if self.teacherless else [student, teacher]
        loss, dstudent, *dparams = self.function(*both, *labels, *params, **self.settings)
        return loss, [dstudent, *(d for ds in dparams for d in ds)]


def connector(rng: np.random.Generator, width: int, teachers: int) -> list[np.ndarray]:
    """W and b from the student's width to the teacher's."""
    return [rng.standard_normal((teachers, width)), rng.standard_normal(teachers)]


def autoencoder(rng: np.random.Generator, width: int, teachers: int) -> list[np.ndarray]:
    """W, b, W_out and b_out, by way of two factors."""
    return [*connector(rng, width, 2), *connector(rng, 2, width)]


def embeddings(rng: np.random.Generator, width: int, teachers: int) -> list[np.ndarray]:
    """W_S, b_S, W_T and b_T, to three dimensions."""
    return [*connector(rng, width, 3), *connector(rng, teachers, 3)]


def with_margins(student: np.ndarray, teacher: np.ndarray, W: np.ndarray, b: np.ndarray, **settings: Any) -> Any:
    """`margin_relu` at margins that cut some of what is negative."""
    m = np.linspace(-1.5, -0.5, teacher.shape[-1]).astype(student.dtype)
    return distill.margin_relu(student, teacher, W, b, m, **settings)


def decoupled_by_sample(student: np.ndarray, teacher: np.ndarray, labels: np.ndarray, **settings: Any) -> Any:
    """`dkd` with a beta for each sample."""
    return distill.dkd(student, teacher, labels, beta=np.linspace(0.5, 2, len(student)), **settings)


def paraphrased(student: np.ndarray, *params: np.ndarray, **settings: Any) -> Any:
    """`paraphrase`, whose features are its student."""
    return distill.paraphrase(student, *params, **settings)


def smoothed(student: np.ndarray, labels: np.ndarray, **settings: Any) -> Any:
    """`label_smoothing`, whose teacher knows nothing."""
    return distill.label_smoothing(student, labels, **settings)


Outputs = partial(Loss)
Labelled = partial(Loss, labelled=True)
Features = partial(Loss, features=True)

LOSSES: dict[str, Loss] = {
    "kl": Outputs(distill.kl_divergence, dict(T=3.0)),
    "kl, elements": Outputs(distill.kl_divergence, dict(T=3.0, square=False, reduction=elementmean)),
    "soft cross-entropy": Outputs(distill.soft_cross_entropy, dict(T=2.0)),
    "kd": Labelled(distill.kd, dict(T=3.0, alpha=0.7)),
    "kd, weights": Labelled(distill.kd, dict(T=3.0, alpha=2.5, ce_weight=0.3, smoothing=0.1, reduction=summed)),
    "reverse kl": Outputs(distill.reverse_kl, dict(T=3.0)),
    "jensen-shannon": Outputs(distill.jensen_shannon, dict(T=2.0)),
    "jensen-shannon, 0.1": Outputs(distill.jensen_shannon, dict(T=2.0, beta=0.1, square=False)),
    "alpha 0.5": Outputs(distill.alpha_divergence, dict(T=2.0)),
    "alpha 0": Outputs(distill.alpha_divergence, dict(T=2.0, alpha=0.0)),
    "alpha 1": Outputs(distill.alpha_divergence, dict(T=2.0, alpha=1.0)),
    "alpha -1": Outputs(distill.alpha_divergence, dict(T=2.0, alpha=-1.0)),
    "alpha 2": Outputs(distill.alpha_divergence, dict(T=2.0, alpha=2.0, reduction=elementmean)),
    "total variation": Outputs(distill.total_variation, dict(T=2.0)),
    "logit regression": Outputs(distill.logit_regression),
    "dkd": Labelled(distill.dkd, dict(T=3.0, alpha=0.8, beta=2.0)),
    "dkd, by sample": Labelled(decoupled_by_sample, dict(T=2.0, square=False)),
    "nkd": Labelled(distill.nkd, dict(T=2.0)),
    "logit standardization": Outputs(distill.logit_standardization, dict(T=2.0)),
    "logit standardization, code": Outputs(distill.logit_standardization, dict(T=2.0, ddof=1, eps=1e-7)),
    "dist": Outputs(distill.dist, dict(T=2.0, beta=0.7, gamma=1.3)),
    "dist, code": Outputs(distill.dist, dict(T=2.0, square=True, eps=1e-8)),
    "label smoothing": Labelled(smoothed, dict(epsilon=0.2), teacherless=True),
    "hint": Features(distill.hint, params=connector),
    "hint, tanh": Features(distill.hint, dict(activation=Tanh(), reduction=elementmean), params=connector),
    "attention transfer": Features(distill.attention_transfer, same_width=True),
    "attention transfer, code": Features(
        distill.attention_transfer, dict(p=3.0, squared=True, reduction=elementmean), same_width=True
    ),
    "activation boundaries": Features(distill.activation_boundaries, params=connector),
    "margin relu": Features(with_margins, params=connector),
    "neuron selectivity": Features(distill.neuron_selectivity),
    "neuron selectivity, linear": Features(distill.neuron_selectivity, dict(kernel=distill.linear_kernel)),
    "neuron selectivity, gaussian": Features(
        distill.neuron_selectivity, dict(kernel=partial(distill.gaussian_kernel, sigma=0.8))
    ),
    "vid": Features(distill.vid, params=lambda rng, w, t: [*connector(rng, w, t), rng.standard_normal(t)]),
    "paraphrase": Features(paraphrased, params=autoencoder, same_width=True, teacherless=True),
    "factor transfer": Features(distill.factor_transfer, dict(activation=LeakyReLU(0.2)), params=connector),
    "factor transfer, linear": Features(distill.factor_transfer, dict(activation=Identity()), params=connector),
    "pkd": Features(distill.pkd, same_width=True),
    "rkd distance": Features(distill.rkd_distance),
    "rkd angle": Features(distill.rkd_angle, dict(reduction=elementmean)),
    "similarity preserving": Features(distill.similarity_preserving),
    "correlation congruence": Features(distill.correlation_congruence),
    "correlation congruence, gaussian": Features(
        distill.correlation_congruence, dict(kernel=partial(distill.gaussian_kernel, sigma=0.7))
    ),
    "pkt": Features(distill.pkt),
    "pkt, code": Features(distill.pkt, dict(diagonal=True, reduction=batchmean)),
    "contrastive": Features(distill.contrastive, dict(tau=0.5), params=embeddings),
}
