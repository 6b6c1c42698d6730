"""Networks as lists of arrays, state dicts and scikit-learn's models, there and back."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from nncomp.activations import Identity, ReLU, Sigmoid, Tanh
from nncomp.data import Data, Split
from nncomp.files import load, save
from nncomp.formats import Uniform
from nncomp.interchange import (
    from_layers,
    from_sklearn,
    from_state_dict,
    to_layers,
    to_sklearn,
    to_state_dict,
)  # fmt: skip
from nncomp.network import MLP
from nncomp.optim import Adam
from nncomp.prune import cubic
from nncomp.quantize import Dynamic
from nncomp.report import Report
from nncomp.steps import FineTune, Prune, Quantize, stages
from tests.strategies.networks import networks

sklearn = pytest.importorskip("sklearn")
from sklearn.datasets import load_digits, load_iris  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402

RNG = np.random.default_rng(3)


@given(networks(np.float64, quantized_inputs=False))
def test_a_layer_is_its_pair_of_arrays(network: MLP) -> None:
    pairs = to_layers(network)
    for layer, (w, b) in zip(network.layers, pairs, strict=True):
        x = RNG.normal(size=(5, w.shape[1]))
        linear = replace(layer, activation=Identity())
        scale, shift = layer.norm.affine() if layer.norm else (np.ones(len(b)), np.zeros(len(b)))
        size = np.abs(x) @ np.abs(w).T + np.abs(scale * layer.bias) + np.abs(shift)
        # Each side sums the same terms, in orders of their own, and rounds each a few times on the way.
        assert (np.abs(x @ w.T + b - linear(x)) <= 4 * (w.shape[1] + 4) * np.finfo(float).eps * size).all()
        assert w.dtype == b.dtype == np.float64 and w.flags.writeable and b.flags.writeable
        assert not any(np.shares_memory(a, p) for a in (w, b) for p in layer.params)


@given(networks(quantized_inputs=False))
def test_lists_of_pairs_come_back_bit_for_bit(network: MLP) -> None:
    pairs = to_layers(network)
    again = to_layers(from_layers(pairs))
    for (w, b), (w2, b2) in zip(pairs, again, strict=True):
        assert w2.dtype == w.dtype == np.float32 and w2.tobytes() == w.tobytes() and b2.tobytes() == b.tobytes()


@given(networks(quantized_inputs=False))
def test_state_dicts_come_back_bit_for_bit(network: MLP) -> None:
    state = to_state_dict(network)
    made = from_state_dict(state)
    again = to_state_dict(made)
    assert list(again) == list(state)
    assert all(again[key].tobytes() == state[key].tobytes() for key in state)
    assert [layer.norm is None for layer in made.layers] == [layer.norm is None for layer in network.layers]
    assert not any(np.shares_memory(again[key], state[key]) for key in state if state[key].size)


def test_what_is_given_is_copied_and_its_dtype_kept() -> None:
    w, b = np.ones((2, 3), np.float16), np.zeros(2)
    network = from_layers([(w, b), ([[1, 2]], None)], Tanh())
    w[:] = 7
    assert network.dtype == np.float64 and network.layers[0].weight.dense().max() == 1
    assert [layer.activation for layer in network.layers] == [Tanh(), Identity()]
    assert from_layers([(np.ones((2, 3), np.float16), None)]).dtype == np.float32


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([], "at least one layer"),
        ([(np.ones(3), None)], r"layer 0: W \(out, in\) .* not W \(3,\) and b None"),
        ([(np.ones((2, 3)), np.ones(3))], r"layer 0: .* not W \(2, 3\) and b \(3,\)"),
        ([(np.ones((2, 3)), None), (np.ones((1, 3)), None)], r"layer 1: W \(out, 2\) .* not W \(1, 3\)"),
        ([(np.ones((2, 3)), "bias")], "str is no numeric array"),
        ([(np.full((2, 3), np.nan), None)], r"layer 0: W of shape \(2, 3\) hold nan at \(0, 0\)"),
    ],
    ids=range(6),
)
def test_lists_that_make_no_network(layers: Any, words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        from_layers(layers)


def norm(n: int, prefix: str = "1.") -> dict[str, np.ndarray]:
    return {prefix + name: np.ones(n) for name in ("weight", "bias", "running_mean", "running_var")}


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, "at least one layer"),
        ({"0.weight": np.ones((2, 3)), "0.bias": np.ones(3)}, r"'0.weight' \(2, 3\), '0.bias' \(3,\): no linear layer"),
        ({"a.weight": np.ones((2, 3)), "b.weight": np.ones((2, 3))}, r"'b.weight' \(2, 3\): no linear layer of 2 inp"),
        ({"conv.weight": np.ones((2, 3, 3, 3))}, r"'conv.weight' \(2, 3, 3, 3\): neither a linear layer"),
        ({"0.weight": np.ones((2, 3)), "0.scale": np.ones(2)}, "'0.scale' .*: neither a linear layer"),
        ({"0.weight": np.ones((2, 3)), **norm(3)}, "no batch norm that can follow a linear layer of 2 outputs"),
        (norm(3), "no batch norm that can follow nothing"),
        ({"0.weight": np.ones((2, 3)), **norm(2), **norm(2, "2.")}, "'2.weight' .* no batch norm that can follow"),
        ({"0.weight": None}, "'0.weight': NoneType is no numeric array"),
        ({"0.weight": np.full((2, 3), np.inf)}, r"'0.weight' of shape \(2, 3\) hold inf at \(0, 0\)"),
        ({"0.bias": np.ones(3)}, r"'0.bias' \(3,\): neither"),
    ],
    ids=range(11),
)
def test_state_dicts_that_make_no_network(state: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        from_state_dict(state)


def test_any_names_with_dots_or_without_make_layers_in_order() -> None:
    state = {"body.fc.weight": np.ones((3, 2)), "body.fc.bias": np.ones(3), "weight": np.ones((1, 3))}
    assert from_state_dict(state).sizes == [2, 3, 1]


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_classifiers_there_and_back(activation: str, dtype: type, classes: int) -> None:
    x, y = load_iris(return_X_y=True)
    x, y = x[y < classes].astype(dtype), np.array(["setosa", "versicolor", "virginica"])[y[y < classes]]
    model = MLPClassifier((7, 5), activation=activation, max_iter=20, random_state=0).fit(x, y)
    network = from_sklearn(model)
    assert network.sizes == [4, 7, 5, classes] and network.dtype == dtype
    z = network(x)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, model.predict_proba(x), rtol=0, atol=64 * np.finfo(dtype).eps)
    back = to_sklearn(network, model.classes_)
    assert all(a.tobytes() == b.tobytes() and a.dtype == dtype for a, b in zip(back.coefs_, model.coefs_))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(back.intercepts_, model.intercepts_))
    np.testing.assert_array_equal(back.predict(x), model.predict(x))
    np.testing.assert_array_equal(back.predict_proba(x), model.predict_proba(x))


def test_two_logits_become_one() -> None:
    network = MLP.init([4, 5, 2], dtype=np.float64)
    x = RNG.normal(size=(9, 4))
    a, b = network(x).T
    expected = 1 / (1 + np.exp(a - b))
    np.testing.assert_allclose(to_sklearn(network, ["no", "yes"]).predict_proba(x)[:, 1], expected, rtol=1e-12)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_regressors_there_and_back(outputs: int) -> None:
    x = RNG.normal(size=(50, 4))
    y = x @ RNG.normal(size=(4, outputs))
    model = MLPRegressor(hidden_layer_sizes=(6,), max_iter=20, random_state=0).fit(x, y[:, 0] if outputs == 1 else y)
    network = from_sklearn(model)
    np.testing.assert_allclose(network(x).ravel(), model.predict(x).ravel(), rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(to_sklearn(network).predict(x), model.predict(x))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_models_that_are_no_network() -> None:
    with pytest.raises(ValueError, match="not a fitted MLPClassifier or MLPRegressor: MLPClassifier"):
        from_sklearn(MLPClassifier())
    x = RNG.normal(size=(20, 4))
    for y in (RNG.integers(0, 2, (20, 3)), np.zeros(20, int)):
        with pytest.raises(ValueError, match="at least two classes, one label a sample"):
            from_sklearn(MLPClassifier((3,), max_iter=2, random_state=0).fit(x, y))


@pytest.mark.parametrize(
    ("network", "classes", "words"),
    [
        (MLP.init([2, 3]), [0, 1], "3 outputs need as many classes"),
        (MLP.init([2, 3]), [0, 2, 1], "in rising order"),
        (MLP.init([2, 3]), [0, 1, 1], "in rising order"),
        (MLP.init([2, 1]), [0], "at least 2"),
        (from_layers([(np.ones((2, 2)), None)] * 3, Sigmoid()).with_layers(lambda a: replace(a, activation=ReLU())),
         None, r"then logits; the network has ReLU\(\), ReLU\(\), ReLU\(\)"),
        (MLP((replace(MLP.init([2, 2]).layers[0], activation=Tanh()), *MLP.init([2, 2, 2]).layers)),
         None, r"the network has Tanh\(\), ReLU\(\), Identity\(\)"),
    ],
    ids=range(6),
)  # fmt: skip
def test_networks_that_scikit_learn_has_no_model_for(network: MLP, classes: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        to_sklearn(network, classes)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_model_is_imported_compressed_exported_and_predicts_as_reported(tmp_path: Any) -> None:
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32)
    test = Split(x[1400:], y[1400:])
    model = MLPClassifier((32,), max_iter=60, random_state=0, tol=1e-3).fit(x[:1200], y[:1200])
    data = Data(Split(x[:1200], y[:1200]), Split(x[1200:1400], y[1200:1400]), test, "digits")
    tuning = FineTune(epochs=30, optimizer=Adam(rate=3e-3))
    steps = (Prune(0.8, schedule=cubic, during=tuning), Quantize(inputs=None), FineTune(epochs=2))
    imported = from_sklearn(model)
    report = Report.of([("imported", imported), *stages(imported, steps, data)], data)
    *_, (_, compressed) = stages(imported, steps, data)
    assert report.rows[0].accuracy == model.score(test.x, test.y)
    assert report.rows[-1].disk == save(tmp_path / "small.safetensors", compressed) < report.rows[0].disk / 3
    exported = to_sklearn(load(tmp_path / "small.safetensors"), model.classes_)
    assert exported.score(test.x, test.y) == report.rows[-1].accuracy > report.rows[0].accuracy - 0.05
    agree = np.mean(exported.predict(test.x) == model.predict(test.x))
    assert agree == report.rows[-1].agreement
    weights = report.rows[-1].cost.multiply_adds
    assert sum(np.count_nonzero(w) for w in exported.coefs_) <= weights < report.rows[0].cost.multiply_adds / 4


def test_integer_inputs_are_left_behind() -> None:
    network = MLP.init([4, 3]).with_layers(lambda layer: replace(layer, input=Dynamic(Uniform())))
    (pair,) = to_layers(network)
    assert pair[0].tobytes() == network.layers[0].weight.dense().tobytes()
