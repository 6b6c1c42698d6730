"""The losses that are ranked, each as a training of the student, and the settings it may choose among."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

from nncomp import distill
from nncomp.data import Data
from nncomp.hooks import Hook
from nncomp.learning_rate import OneCycle
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.steps import Distill, FineTune, Match

Dials = dict[str, float]


class Row(NamedTuple):
    """How the student trains with the given dials, and the dials to choose among, nine at most."""

    step: Callable[[MLP, FineTune, Dials], Distill | FineTune]
    grid: list[Dials]


def alone(teacher: MLP, during: FineTune, dials: Dials) -> FineTune:
    optimizer = Adam(during.optimizer.rate, weight_decay=dials["decay"])
    return FineTune(during.epochs, optimizer=optimizer, schedule=OneCycle(), seed=during.seed)


def smoothed(teacher: MLP, during: FineTune, dials: Dials) -> FineTune:
    return FineTune(
        during.epochs, optimizer=during.optimizer, schedule=OneCycle(), smoothing=dials["epsilon"], seed=during.seed
    )


def outputs(loss: Callable[..., Any], teacher: MLP, during: FineTune, dials: Dials) -> Distill:
    """Beside the labels, with what the loss has of its own."""
    own = {name: value for name, value in dials.items() if name not in ("T", "alpha")}
    soft = partial(loss, **own) if own else loss
    return Distill(teacher=teacher, soft=soft, T=dials.get("T", 1.0), alpha=dials["alpha"], during=during)


def layers(loss: Callable[..., Any], teacher: MLP, during: FineTune, dials: Dials) -> Distill:
    """The last hidden layers matched, beside the labels, without soft targets."""
    return Distill(teacher=teacher, alpha=0.0, match=(Match(loss, weight=dials["weight"]),), during=during)


HOT = [{"T": T, "alpha": alpha} for T, alpha in product((1.0, 2.0, 4.0, 8.0), (0.5, 0.9))]
COLD = [{"alpha": alpha} for alpha in (0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)]
DECOUPLED = [{"T": T, "alpha": 0.5, "beta": beta} for T, beta in product((1.0, 2.0, 4.0, 8.0), (1.0, 8.0))]
WEIGHTS = [{"weight": 10.0**k} for k in range(-4, 5)]
MEAN: dict[Callable[..., Any], Callable[..., Any]] = {
    distill.rkd_angle: partial(distill.rkd_angle, reduction=distill.elementmean)
}  # of 10^6 triples, not their sum
OUTPUTS = (
    distill.kl_divergence, distill.reverse_kl, distill.jensen_shannon, distill.alpha_divergence,
    distill.dist, distill.nkd, distill.logit_standardization,
)  # fmt: skip
LAYERS: tuple[Callable[..., Any], ...] = (
    distill.hint, distill.attention_transfer, distill.activation_boundaries, distill.margin_relu,
    distill.neuron_selectivity, distill.vid, distill.factor_transfer, distill.pkd, distill.rkd_distance,
    distill.rkd_angle, distill.similarity_preserving, distill.correlation_congruence, distill.pkt, distill.contrastive,
)  # fmt: skip

ROWS: Mapping[str, Row] = {
    "labels alone": Row(alone, [{"decay": decay} for decay in (0.0, 1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)]),
    "label_smoothing": Row(smoothed, [{"epsilon": e} for e in (0.01, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)]),
    **{loss.__name__: Row(partial(outputs, loss), HOT) for loss in OUTPUTS},
    "dkd": Row(partial(outputs, distill.dkd), DECOUPLED),
    "total_variation": Row(partial(outputs, distill.total_variation), HOT),
    "logit_regression": Row(partial(outputs, distill.logit_regression), COLD),
    **{loss.__name__: Row(partial(layers, MEAN.get(loss, loss)), WEIGHTS) for loss in LAYERS},
}


def trained(
    row: str,
    teacher: MLP,
    data: Data,
    seed: int,
    epochs: int,
    dials: Dials,
    sizes: list[int],
    hooks: Sequence[Hook] = (),
) -> MLP:
    """The student that the row makes."""
    during = FineTune(epochs, optimizer=Adam(2e-3), schedule=OneCycle(), seed=seed)
    return ROWS[row].step(teacher, during, dials)(MLP.init(sizes, seed=seed), data, hooks)
