"""Networks trained and compressed as scikit-learn's estimators are: `fit`, `predict`, `score`, in pipelines."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from nncomp.activations import Softmax
from nncomp.data import Data, Split
from nncomp.interchange.scikit_learn import ACTIVATIONS
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import cubic, keep_largest
from nncomp.steps import CompressionStep, FineTune, Prune, Quantize, stages

TRAINING = FineTune(epochs=100, batch=50, optimizer=Adam(rate=3e-3))
STEPS = (Prune(0.8, keep=keep_largest, schedule=cubic, interval=10, during=TRAINING), Quantize())


class CompressedMLP(BaseEstimator):
    """What classifier and regressor have in common.

    `hidden_layer_sizes`: outputs of each layer but the last. `activation`: relu, tanh, logistic or identity. `norm`:
    batch norm in hidden layers. `training`: a `FineTune`; None is 50 epochs of Adam. `steps`: what compresses the
    trained network; None prunes 80 % of the weights and quantizes to 8 bits. `validation_fraction`: of the samples, set
    aside for steps that choose by them, as by `patience`; 0 lets them choose by those they train on. `random_state`:
    for the samples set aside, the first weights and the training; steps have seeds of their own.

    After `fit`, `network_` is the compressed `MLP`, and `stages_` the name of each stage and the network after it, as
    `Report.of` takes them.
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        *,
        activation: str = "relu",
        norm: bool = False,
        training: FineTune | None = None,
        steps: Sequence[CompressionStep] | None = None,
        validation_fraction: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.norm = norm
        self.training = training
        self.steps = steps
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def _fit(self, x: np.ndarray, y: np.ndarray, outputs: int) -> Self:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation is one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        hidden = self.hidden_layer_sizes
        if not (isinstance(hidden, Sequence) and all(isinstance(n, int) for n in hidden)):
            raise ValueError(f"hidden_layer_sizes is a sequence of whole numbers, not {hidden!r}")
        if not isinstance(self.training, FineTune | None):
            raise ValueError(f"training is a FineTune or None, not {self.training!r}")
        if not 0 <= self.validation_fraction < 1:
            raise ValueError(f"validation_fraction is from 0 to below 1, not {self.validation_fraction}")
        seed = int(check_random_state(self.random_state).randint(2**31))
        held = round(self.validation_fraction * len(x))
        data = Data.of(x, y, held, seed=seed) if held else Data(Split(x, y), Split(x, y))
        sizes = [x.shape[1], *hidden, outputs]
        network = MLP.init(sizes, ACTIVATIONS[self.activation], norm=self.norm, seed=seed, dtype=x.dtype)
        training = TRAINING if self.training is None else self.training
        training = replace(training, seed=training.seed + seed)
        steps = STEPS if self.steps is None else self.steps
        self.stages_ = list(stages(network, (training, *steps), data))
        self.network_ = self.stages_[-1][1]
        return self

    def _outputs(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        return self.network_(validate_data(self, x, reset=False, dtype=self.network_.dtype))


class CompressedMLPClassifier(ClassifierMixin, CompressedMLP):
    """A classifier that is a compressed network, trained by cross-entropy; parameters as in `CompressedMLP`.

    `classes_` holds the labels in rising order.

    >>> x = np.random.default_rng(0).normal(size=(300, 2))
    >>> y = np.where((x**2).sum(axis=1) < 1, "in", "out")
    >>> model = CompressedMLPClassifier(random_state=0).fit(x, y)
    >>> model.score(x, y) > 0.9, model.network_.layers[0].integer
    (True, True)
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train and compress a network on samples X (samples, features) and their labels y (samples,)."""
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32], ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        return self._fit(X, labels, len(self.classes_))

    def predict_proba(self, X: Any) -> np.ndarray:
        """The softmax of the network's outputs, (samples, classes)."""
        return Softmax()(self._outputs(X))

    def predict(self, X: Any) -> np.ndarray:
        """The class of the largest output."""
        outputs = self._outputs(X)
        return self.classes_[outputs.argmax(axis=1)]


class CompressedMLPRegressor(RegressorMixin, CompressedMLP):
    """A regressor that is a compressed network, trained by squared error; parameters as in `CompressedMLP`.

    The y it is fitted to is (samples,) or (samples, outputs), best of mean 0 and variance 1.

    >>> x = np.random.default_rng(0).normal(size=(300, 2))
    >>> model = CompressedMLPRegressor(random_state=0).fit(x, x[:, 0] * x[:, 1])
    >>> model.score(x, x[:, 0] * x[:, 1]) > 0.8
    True
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train and compress a network on samples X (samples, features) and their values y."""
        X, y = validate_data(
            self, X, y, dtype=[np.float64, np.float32], multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        self._shape = y.shape[1:]
        y = y.reshape(len(y), -1).astype(X.dtype)
        return self._fit(X, y, y.shape[1])

    def predict(self, X: Any) -> np.ndarray:
        """The network's outputs, in the shape of the y it was fitted to."""
        outputs = self._outputs(X)
        return outputs.reshape(-1, *self._shape)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
