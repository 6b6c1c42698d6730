"""The estimators keep scikit-learn's contract, and are the networks they say."""

from typing import Any

import numpy as np
import pytest

from nncomp.data import Data, Split
from nncomp.measure import accuracy
from nncomp.report import Report
from nncomp.steps import FineTune, Prune, Quantize, compress

sklearn = pytest.importorskip("sklearn")
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_iris  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from nncomp.estimators import CompressedMLPClassifier, CompressedMLPRegressor  # noqa: E402

QUICK = FineTune(epochs=5)
GRID = {"steps": [(), (Quantize(),)], "activation": ["relu", "tanh"]}


# Some of scikit-learn's own checks overflow on purpose, or train too briefly for their data: their warnings are theirs.
@pytest.mark.filterwarnings("default")
@parametrize_with_checks([CompressedMLPClassifier(), CompressedMLPRegressor()])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_a_classifier_is_the_recipe_by_hand() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    steps = (Prune(0.5), Quantize())
    model = CompressedMLPClassifier((16,), training=QUICK, steps=steps, random_state=0, validation_fraction=0)
    model.fit(x, names)
    everything = Data(Split(x, y), Split(x, y))
    assert [name for name, _ in model.stages_] == ["FineTune", "Prune", "Quantize"]
    assert compress(model.stages_[0][1], steps, everything).fingerprint() == model.network_.fingerprint()
    np.testing.assert_array_equal(model.predict(x), model.classes_[model.network_(x).argmax(axis=1)])
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1, rtol=1e-12)
    assert model.score(x, names) == accuracy(model.network_, Split(x, y))
    report = Report.of(model.stages_, everything)
    assert (
        report.rows[-1].accuracy == model.score(x, names) and report.rows[-1].cost.stored < report.rows[0].cost.stored
    )


def test_random_state_decides_everything() -> None:
    x, y = load_iris(return_X_y=True)
    prints = [CompressedMLPClassifier((8,), training=QUICK, steps=(), random_state=s).fit(x, y) for s in (0, 0, 1)]
    a, b, c = (model.network_.fingerprint() for model in prints)
    assert a == b != c


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_width(dtype: type) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(dtype)
    model = CompressedMLPRegressor((8,), training=QUICK, steps=(), random_state=0).fit(x, x[:, :2])
    assert model.network_.dtype == model.predict(x).dtype == dtype and model.predict(x).shape == (60, 2)
    assert model.fit(x, x[:, 0]).predict(x).shape == (60,)


def test_regression_can_stop_early_on_the_samples_set_aside() -> None:
    x = np.random.default_rng(0).normal(size=(200, 2))
    y = x[:, 0] * x[:, 1]
    long = FineTune(epochs=200, patience=5, batch=20)
    model = CompressedMLPRegressor((32,), training=long, steps=(), random_state=0).fit(x, y)
    assert model.score(x, y) > 0.7


def test_in_pipelines_and_searches() -> None:
    x, y = load_iris(return_X_y=True)
    model = CompressedMLPClassifier(training=FineTune(epochs=30, batch=20), random_state=0)
    pipeline = make_pipeline(StandardScaler(), model)
    grid = {f"compressedmlpclassifier__{name}": values for name, values in GRID.items()}
    assert GridSearchCV(pipeline, grid, cv=3).fit(x, y).best_score_ > 0.9
    assert clone(model).get_params()["training"] == model.training


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"activation": "gelu"}, "activation is one of relu, tanh, logistic, identity, not 'gelu'"),
        ({"validation_fraction": 1.0}, "from 0 to below 1, not 1.0"),
        ({"validation_fraction": -0.1}, "from 0 to below 1, not -0.1"),
        ({"hidden_layer_sizes": (0,)}, "each at least 1, not .4, 0, 3."),
        ({"hidden_layer_sizes": 50}, "hidden_layer_sizes is a sequence of whole numbers, not 50"),
        ({"hidden_layer_sizes": (2.5,)}, "hidden_layer_sizes is a sequence of whole numbers, not .2.5,."),
        ({"training": 5}, "training is a FineTune or None, not 5"),
        ({"training": FineTune(dropout=(0.1,))}, "a rate per layer"),
    ],
)
def test_bad_parameters_get_one_clear_error(parameters: dict[str, Any], words: str) -> None:
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=words):
        CompressedMLPClassifier(**parameters).fit(x, y)
