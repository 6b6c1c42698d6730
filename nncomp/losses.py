"""Losses on plain arrays, each returning `(loss, gradient)` together. An empty batch has no mean, so it raises."""

import numpy as np

from nncomp.fields import NotFinite


def cross_entropy(
    logits: np.ndarray, labels: np.ndarray, smoothing: float = 0.0, class_weights: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """`loss = sum_n sum_c t_nc w_c (-log p_nc) / sum_n w_{y_n}`, p the softmax of `logits (batch, classes)`.

    The targets are `t = (1 - smoothing) onehot(y) + smoothing / classes` (Szegedy et al. 2016, section 7). Without
    `class_weights (classes,)` every w is 1 and the loss is the mean over the batch; with them it is the weighted mean
    by the labels' weights, as PyTorch and ONNX define it. Returns the loss and its gradient at the logits.

    >>> loss, dlogits = cross_entropy(np.log([[0.25, 0.75]]), np.array([1]))
    >>> round(loss, 6), dlogits.round(6)
    (0.287682, array([[ 0.25, -0.25]]))
    """
    t, total = _weighted_targets(logits, labels, smoothing, class_weights)
    log_p = log_probabilities(logits)
    loss = -(t * log_p).sum() / total
    row_sums = t @ np.ones(t.shape[1], t.dtype)
    return float(loss), (np.exp(log_p) * row_sums[:, None] - t) / total


def negative_log_likelihood(
    log_p: np.ndarray, labels: np.ndarray, class_weights: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """`cross_entropy` of what went through a log-softmax already: `sum_n w_{y_n} (-log p_{n y_n}) / sum_n w_{y_n}`.

    Returns the loss and its gradient at `log_p (batch, classes)`, which need not be normalized.

    >>> loss, dlog_p = negative_log_likelihood(np.log([[0.25, 0.75]]), np.array([1]))
    >>> round(loss, 6), (dlog_p + 0.0).tolist()
    (0.287682, [[0.0, -1.0]])
    """
    t, total = _weighted_targets(log_p, labels, 0.0, class_weights)
    return float(-(t * log_p).sum() / total), -t / total


def _weighted_targets(
    logits: np.ndarray, labels: np.ndarray, smoothing: float, class_weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """`t w (batch, classes)`, and the sum of the labels' weights."""
    check_labels(logits, labels)
    batch, classes = logits.shape
    if not 0 <= smoothing <= 1:
        raise ValueError(f"label smoothing is between 0 and 1, not {smoothing}")
    w = np.ones(classes, logits.dtype) if class_weights is None else class_weights.astype(logits.dtype)
    if w.shape != (classes,) or not (np.isfinite(w).all() and (w >= 0).all()):
        raise ValueError(f"class weights are {classes} finite numbers of at least 0, not {w.shape}: {w}")
    total = w[labels].sum()
    if total == 0:
        raise ValueError("the class weights of all labels in the batch are 0: their mean is undefined")
    t = np.full((batch, classes), smoothing / classes, logits.dtype)
    t[np.arange(batch), labels] += logits.dtype.type(1 - smoothing)
    return t * w, total


def squared_error(prediction: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray]:
    """`loss = mean (prediction - target)^2` over all elements, and its gradient at the prediction.

    >>> squared_error(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    (2.0, array([[ 0., -2.]]))
    """
    if prediction.shape != target.shape or prediction.size == 0:
        raise ValueError(f"prediction {prediction.shape} and target {target.shape} must be one shape and not empty")
    check_finite("prediction", prediction)
    difference = prediction - target.astype(prediction.dtype)
    return float(np.mean(difference**2)), difference * difference.dtype.type(2 / difference.size)


def by_targets(outputs: np.ndarray, targets: np.ndarray, smoothing: float = 0.0) -> tuple[float, np.ndarray]:
    """The `cross_entropy` of integer labels (n,), the `squared_error` of values (n, outputs).

    >>> by_targets(np.array([[1.0, 2.0]]), np.array([[1.0, 4.0]]))
    (2.0, array([[ 0., -2.]]))
    """
    if not np.issubdtype(targets.dtype, np.floating):
        return cross_entropy(outputs, targets, smoothing)
    if smoothing:
        raise ValueError(f"label smoothing of {smoothing}, and targets that are values")
    return squared_error(outputs, targets)


def check_labels(logits: np.ndarray, labels: np.ndarray) -> None:
    """Raise unless `logits (batch, classes)` and integer `labels (batch,)` fit each other and are not empty."""
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or logits.size == 0:
        raise ValueError(f"logits (batch, classes) and labels (batch,) do not fit: {logits.shape} and {labels.shape}")
    check_finite("logits", logits)
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels are integers, not {labels.dtype}")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise ValueError(f"labels from {labels.min()} to {labels.max()} in {logits.shape[1]} classes")


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """`log softmax = z - log sum exp z` of each row, z the logits less their largest.

    `NotFinite` where logits are farther apart than their dtype can tell.

    >>> log_probabilities(np.zeros((1, 2))).round(6)
    array([[-0.693147, -0.693147]])
    """
    with np.errstate(over="ignore", invalid="ignore"):
        z = np.ascontiguousarray(logits.T)  # NumPy is slow at adding up many short rows
        z = z - z.max(axis=0)
        log_p = (z - np.log(np.exp(z).sum(axis=0))).T
    if not np.isfinite(log_p).all():
        raise NotFinite(f"logits from {logits.min():g} to {logits.max():g} are too far apart for {logits.dtype}")
    return log_p


def check_finite(name: str, values: np.ndarray) -> None:
    """Raise unless `values` are finite floats: training diverged, or the data were broken."""
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"{name} are floats, not {values.dtype}")
    if not np.isfinite(values).all():
        where = tuple(np.argwhere(~np.isfinite(values))[0].tolist())
        raise NotFinite(f"{name} of shape {values.shape} hold {values[where]} at {where}")
