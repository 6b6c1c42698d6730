"""Methods asked about the layers of a network: each is given what it names as its arguments.

`wanda(W, norms)` is given each layer's weights and the lengths of its inputs, `snip(w, g)` weights and gradient,
`synflow(weights)` the weights of all layers at once. A function of your own is given what it names in the same way.
"""

from collections.abc import Callable, Sequence
from inspect import Parameter, signature
from typing import Any

import numpy as np

from nncomp.evidence import Evidence
from nncomp.layerwise import described
from nncomp.shown import word
from nncomp.weights import Sparse, Weight


def scores_of(method: Callable[..., Any], evidence: Evidence) -> list[np.ndarray]:
    """What `method` says of each layer, given what it asks for; what was pruned before ranks last.

    Scores are floats without NaN, (out, in), or (out, 1) of rows, or (1, in) of columns: else a ValueError.

    >>> from nncomp import MLP, Split
    >>> from nncomp.prune import magnitude
    >>> [s.shape for s in scores_of(magnitude, Evidence(MLP.init([3, 2]), Split(np.ones((1, 3)), np.zeros(1, int))))]
    [(2, 3)]
    """
    given, layers = {name: getattr(evidence, name) for name in asked(method)}, evidence.network.layers
    if "weights" in given:
        found = list(method(**given))
    else:
        found = [method(**dict(zip(given, parts))) for parts in zip(*given.values(), strict=True)]
    if len(found) != len(layers):
        raise ValueError(f"{word(method)} scores {len(found)} of {len(layers)} layers")
    return [_ranked(s, layer.weight, f"{word(method)}, layer {i}") for i, (s, layer) in enumerate(zip(found, layers))]


def masks_of(keep: Callable[..., Any], scores: Sequence[np.ndarray], sparsity: float) -> list[np.ndarray]:
    """The mask that `keep` makes of each layer's scores, of all together if it has an argument `layers`.

    >>> from nncomp.prune import keep_largest
    >>> masks_of(keep_largest, [np.array([[3.0, 1.0]])], sparsity=0.5)
    [array([[ True, False]])]
    """
    together = "layers" in signature(keep).parameters
    masks = keep(scores, sparsity) if together else [keep(s, sparsity) for s in scores]
    if len(masks) != len(scores):
        raise ValueError(f"{word(keep)} gives {len(masks)} masks for {len(scores)} layers")
    for i, (mask, s) in enumerate(zip(masks, scores)):
        if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != s.shape:
            raise ValueError(f"{word(keep)}, layer {i}: a mask is boolean {s.shape}, not {described(mask)}")
    return list(masks)


def asked(method: Callable[..., Any], *given: str) -> list[str]:
    """The names of what `method` needs besides what is `given`: its arguments without a default.

    A ValueError where one is not to be had, or none of the given ones is wanted.

    >>> from nncomp.prune import wanda
    >>> asked(wanda)
    ['W', 'norms']
    """
    if not callable(method):
        raise ValueError(f"a method is a function, not {word(method)}")
    arguments = [p for p in signature(method).parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    needed = [p.name for p in arguments if p.default is Parameter.empty]
    known = [name for name in vars(Evidence) if not name.startswith("_")]
    if given:  # one layer after the other
        known = [name for name in known if name not in ("weights", "gradient")]
    for name in needed:
        if name not in (*known, *given):
            had = dict.fromkeys([*given, *known])
            raise ValueError(f"{word(method)} asks for {name!r}; it can be given {', '.join(had)}")
    for name in given:
        if name not in [p.name for p in arguments]:
            raise ValueError(f"{word(method)} takes no {name}")
    if any(p.kind == p.POSITIONAL_ONLY for p in arguments) or not needed:
        raise ValueError(f"{word(method)} names nothing to be given: {', '.join([*given, *known])}")
    if "gradient" in needed and "weights" not in needed:
        raise ValueError(f"{word(method)} asks for the gradient of all layers, so it needs their weights too")
    return [name for name in needed if name not in given]


def _ranked(scores: Any, weight: Weight, told: str) -> np.ndarray:
    out, inputs = weight.shape
    if not isinstance(scores, np.ndarray) or scores.shape not in ((out, inputs), (out, 1), (1, inputs)):
        raise ValueError(f"{told}: scores are {(out, inputs)}, {(out, 1)} or {(1, inputs)}, not {np.shape(scores)}")
    if not np.issubdtype(scores.dtype, np.floating) or np.isnan(scores).any():
        raise ValueError(f"{told}: scores are floats without NaN, not {scores.dtype}")
    kept = weight.prepared()
    if not isinstance(kept, Sparse):
        return scores
    rows, columns = scores.shape[0] == out, scores.shape[1] == inputs
    living = kept.mask if rows and columns else kept.mask.any(axis=1 if rows else 0, keepdims=True)
    return np.where(living, scores, -np.inf)
