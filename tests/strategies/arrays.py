"""Plain arrays for kernels: codes with their extremes, compressed rows of any pattern."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

bytes_ = st.sampled_from([np.int8, np.uint8])
floats = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 2**32 - 1)
sides = st.integers(0, 70)  # past the width of a vector register, with tails


def codes(rng: np.random.Generator, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform codes, or only the two extremes."""
    info = np.iinfo(dtype)
    if rng.random() < 0.3:
        return rng.choice(np.array([info.min, info.max], dtype), shape)
    return rng.integers(info.min, info.max + 1, shape).astype(dtype)


class Rows(NamedTuple):
    """Compressed rows and their number of columns."""

    values: np.ndarray
    columns: np.ndarray
    row_start: np.ndarray
    inputs: int


@st.composite
def compressed(draw: st.DrawFn, dtype: st.SearchStrategy[type] = floats) -> Rows:
    """Any pattern: empty rows, full rows, nothing at all; columns and starts in any unsigned width that fits."""
    rng = np.random.default_rng(draw(seeds))
    out, inputs, kind = draw(st.integers(1, 20)), draw(st.integers(1, 30)), draw(dtype)
    mask = rng.random((out, inputs)) < rng.choice([0.0, 0.1, 0.5, 1.0], (out, 1))
    index = draw(st.sampled_from([np.uint8, np.uint16, np.uint32]))
    values = rng.standard_normal(mask.sum()) if np.dtype(kind).kind == "f" else codes(rng, kind, (int(mask.sum()),))
    starts = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.uint16)
    return Rows(values.astype(kind), np.nonzero(mask)[1].astype(index), starts, inputs)
