"""What is shown of a layer, against counts of its dense weight."""

import json

import numpy as np
from hypothesis import given

from nncomp.inspection import BINS, COLUMNS, ROWS, Inspection, LayerView
from nncomp.layer import Linear
from nncomp.network import MLP
from nncomp.weights import Dense, LowRank, Sparse, Sum, Weight
from tests.strategies.networks import networks


@given(networks())
def test_pictures_and_counts_are_of_the_dense_weight(network: MLP) -> None:
    seen = Inspection.of(network)
    told = json.loads(seen.to_json(), parse_constant=lambda word: float("nan"))
    assert told["sizes"] == network.sizes and len(str(seen).split("\n\n")) == 1 + len(network.layers)
    for view, layer in zip(seen.layers, network.layers):
        w = layer.weight.dense()
        pattern = np.array(view.pattern)
        assert pattern.shape == (min(len(w), ROWS), min(w.shape[1], COLUMNS))
        rows, columns = np.repeat(np.arange(w.shape[0]), w.shape[1]), np.tile(np.arange(w.shape[1]), w.shape[0])
        cells: dict[tuple[int, int], list[bool]] = {}
        for i, j in zip(rows, columns):
            edges = [np.arange(c + 1) * n // c for c, n in zip(pattern.shape, w.shape)]
            cell = tuple(int(np.searchsorted(e, at, "right")) - 1 for e, at in zip(edges, (i, j)))
            cells.setdefault(cell, []).append(w[i, j] != 0)  # type: ignore[arg-type]
        for cell, values in cells.items():
            assert abs(pattern[cell] - np.mean(values)) < 1e-4
        of_its_own = not isinstance(layer.weight, LowRank | Sum)
        assert sum(view.histogram) == view.kept
        assert view.kept == (layer.weight.multiply_adds if of_its_own else _there(layer.weight))


def _there(weight: Weight) -> int:
    """Weights of a product or a sum that can be something else than 0."""
    parts = [part.prepared() for part in weight.parts] if isinstance(weight, Sum) else [weight]
    masks = [part.mask if isinstance(part, Sparse) else np.ones(part.shape, bool) for part in parts]
    return int(np.any(masks, axis=0).sum())


def test_values_that_are_no_numbers_are_not_counted() -> None:
    view = LayerView.of(Linear(Dense(np.array([[np.nan, 1.0, np.inf, 3.0]])), np.zeros(1)))
    assert (view.low, view.high, sum(view.histogram), view.kept) == (1.0, 3.0, 2, 4)
    nothing = LayerView.of(Linear(Sparse.from_dense(np.zeros((2, 3))), np.zeros(2)))
    assert (nothing.low, nothing.high, nothing.histogram) == (0.0, 0.0, (0,) * BINS) and "(0.0%)" in str(nothing)


def test_a_weight_that_would_not_fit_in_memory_dense_is_shown() -> None:
    wide = Sparse(np.ones(1, np.float32), np.array([2**31], np.uint32), np.array([0, 1], np.uint8), 2**32)
    view = LayerView.of(Linear(wide, np.zeros(1, np.float32)))
    assert view.shape == (1, 2**32) and view.pattern[0].count(0.0) == COLUMNS - 1 and "1 weights not 0" in str(view)
