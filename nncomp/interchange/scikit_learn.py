"""scikit-learn's MLPClassifier and MLPRegressor, from and to networks."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nncomp.activations import Activation, Identity, ReLU, Sigmoid, Tanh
from nncomp.interchange.layer_list import from_layers, to_layers
from nncomp.network import MLP

ACTIVATIONS: dict[str, Activation] = {"relu": ReLU(), "tanh": Tanh(), "logistic": Sigmoid(), "identity": Identity()}


def from_sklearn(model: Any) -> MLP:
    """The network in a fitted MLPClassifier, its outputs the logits of `model.classes_`, or in an MLPRegressor.

    Of two classes the model holds one logit; the network has two, the first always 0, so that their softmax is
    `model.predict_proba`. A ValueError for a model that is not fitted, and for classifiers of one class or of many
    labels a sample, which have no such softmax.

    >>> from sklearn.neural_network import MLPClassifier
    >>> x, y = np.array([[0.0], [1.0], [2.0]]), ["cat", "dog", "eel"]
    >>> model = MLPClassifier((8,), solver="lbfgs", random_state=0).fit(x, y)
    >>> model.classes_[from_sklearn(model)(x).argmax(axis=1)]
    array(['cat', 'dog', 'eel'], dtype='<U3')
    """
    if not hasattr(model, "coefs_"):
        raise ValueError(f"not a fitted MLPClassifier or MLPRegressor: {model!r}")
    layers = [(w.T, b) for w, b in zip(model.coefs_, model.intercepts_)]
    if model.out_activation_ == "logistic":
        if model.n_outputs_ != 1 or len(model.classes_) != 2:
            raise ValueError("a classifier of at least two classes, one label a sample: this one is not")
        w, b = layers[-1]
        layers[-1] = (np.concatenate([np.zeros_like(w), w]), np.concatenate([np.zeros_like(b), b]))
    return from_layers(layers, ACTIVATIONS[model.activation])


def to_sklearn(network: MLP, classes: ArrayLike | None = None) -> Any:
    """A fitted MLPClassifier with the network's outputs as logits of `classes`, sorted; without, an MLPRegressor.

    Weights are decoded and batch norms folded, as in `to_layers`. A ValueError where scikit-learn has no such model:
    hidden activations that differ or are not one of its four, an activation after the last layer.

    >>> network = MLP.init([4, 8, 3])
    >>> model = to_sklearn(network, classes=["cat", "dog", "eel"])
    >>> model.classes_[network(np.eye(4, dtype=np.float32)).argmax(axis=1)] == model.predict(np.eye(4))
    array([ True,  True,  True,  True])
    """
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    layers = to_layers(network)
    sizes, dtype = network.sizes, layers[0][0].dtype
    settings = {"hidden_layer_sizes": tuple(sizes[1:-1]), "activation": _activation(network), "random_state": 0}
    if classes is None:
        y = np.zeros((1, sizes[-1]) if sizes[-1] > 1 else 1, dtype)
        model = MLPRegressor(**settings).partial_fit(np.zeros((1, sizes[0]), dtype), y)
    else:
        labels = np.asarray(classes)
        if labels.shape != (sizes[-1],) or len(labels) < 2 or (labels[1:] <= labels[:-1]).any():
            raise ValueError(f"{sizes[-1]} outputs need as many classes, at least 2, in rising order: not {classes}")
        model = MLPClassifier(**settings)
        model.partial_fit(np.zeros((len(labels), sizes[0]), dtype), labels, classes=labels)  # makes all that is fitted
        if len(labels) == 2:
            w, b = layers[-1]
            layers[-1] = (w[1:] - w[:1], b[1:] - b[:1])
    model.coefs_ = [np.ascontiguousarray(w.T) for w, _ in layers]
    model.intercepts_ = [b for _, b in layers]
    return model


def _activation(network: MLP) -> str:
    hidden = {layer.activation for layer in network.layers[:-1]} or {ReLU()}
    names = [name for name, activation in ACTIVATIONS.items() if hidden == {activation}]
    if not names or network.layers[-1].activation != Identity():
        told = ", ".join(repr(layer.activation) for layer in network.layers)
        raise ValueError(f"scikit-learn has one of {', '.join(ACTIVATIONS)}, then logits; the network has {told}")
    return names[0]
