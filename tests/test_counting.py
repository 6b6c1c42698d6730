"""Other systems' counts at the values their rules give, and against their rules in loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nncomp.prune import keep_floored, keep_largest, keep_nncf, keep_sparsegpt, keep_tfmot

TEN = np.arange(10.0)
scores = arrays(np.float64, st.integers(1, 12), elements=st.integers(0, 5).map(float))


@pytest.mark.parametrize(
    ("keep", "pruned"),
    [  # at sparsities 0, 0.25, 0.5, 0.85
        (keep_largest, [0, 2, 5, 8]),
        (keep_floored, [0, 2, 5, 8]),
        (keep_tfmot, [0, 2, 5, 8]),
        (keep_nncf, [1, 3, 5, 8]),
        (keep_sparsegpt, [1, 3, 6, 9]),
    ],
)
def test_of_ten_different_scores(keep, pruned: list[int]) -> None:  # type: ignore[no-untyped-def]
    assert [int((~keep(TEN, s)).sum()) for s in (0, 0.25, 0.5, 0.85)] == pruned


def test_where_they_part() -> None:
    """Rounding, all scores equal, and the ends."""
    assert [int((~keep(np.arange(7.0), 0.5)).sum()) for keep in (keep_largest, keep_floored)] == [4, 3]
    equal = np.ones(4)
    kept = [int(keep(equal, 0.5).sum()) for keep in (keep_largest, keep_floored, keep_tfmot, keep_nncf, keep_sparsegpt)]
    assert kept == [2, 2, 4, 0, 0]
    assert [int(keep(TEN, 1.0).sum()) for keep in (keep_largest, keep_floored, keep_tfmot, keep_nncf)] == [0, 0, 1, 0]


@given(scores, st.floats(0, 1, exclude_max=True))
def test_by_their_rules(s: np.ndarray, sparsity: float) -> None:
    n, ranked, values = s.size, sorted(s.tolist()), s.tolist()
    order = sorted(range(n), key=lambda i: (-values[i], i))
    assert np.flatnonzero(keep_floored(s, sparsity)).tolist() == sorted(order[: n - int(sparsity * n)])
    last = ranked[-max(round(n * (1 - sparsity)), 1)]
    assert keep_tfmot(s, sparsity).tolist() == [v >= last for v in values]
    assert keep_nncf(s, sparsity).tolist() == [v > ranked[int((n - 1) * sparsity)] for v in values]
    if int(n * sparsity) < n:
        assert keep_sparsegpt(s, sparsity).tolist() == [v > ranked[int(n * sparsity)] for v in values]


@pytest.mark.parametrize("keep", [keep_floored, keep_tfmot, keep_nncf, keep_sparsegpt])
def test_bad_arguments(keep) -> None:  # type: ignore[no-untyped-def]
    for s, sparsity, message in (
        (TEN, 1.5, "between 0 and 1, not 1.5"),
        (np.array([np.nan]), 0.5, "floats without NaN"),
        (np.arange(3), 0.5, "not int64"),
    ):
        with pytest.raises(ValueError, match=message):
            keep(s, sparsity)
    with pytest.raises(ValueError, match="no score stands at position 10 of 10"):
        keep_sparsegpt(TEN, 1.0)
