"""How much it costs to move a weight, for k-means to heed: second derivatives of the loss, or what stands for them."""

import numpy as np


def fisher_importance(squares: np.ndarray) -> np.ndarray:
    """`h = E g^2`, the diagonal of the empirical Fisher information, as second moments (Choi et al. 2017).

    `squares`: the mean of the samples' squared gradients, for a dense layer `prune.squared_gradients`.

    >>> fisher_importance(np.array([[0.5, 3.0]]))
    array([[0.5, 3. ]])
    """
    return squares


def hessian_importance(h: np.ndarray) -> np.ndarray:
    """`max(h, 0)`, h the diagonal of the Hessian: to second order, moving w to c costs `h (w - c)^2 / 2`.

    Where the loss curves down there is no minimum to stay near (Choi et al. 2017 assume there is one).

    >>> hessian_importance(np.array([[0.5, -3.0]]))
    array([[0.5, 0. ]])
    """
    return np.maximum(h, 0)
